import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, processesNaming } from '../../demo/processes.mjs';
import { LAB_GUEST, labAvailable, labKernelLine } from '../../lab/vm.mjs';
import { freePort } from '../fixtures/ports.js';
import { poll } from '../lab/poll.js';
import { DaemonUnderTest, MINUTE } from './world.js';

const lab = labAvailable();
const hasJq = existsSync('/usr/bin/jq');

let current: DaemonUnderTest | undefined;

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

const vmms = (test: DaemonUnderTest) => processesNaming(`${test.world.dir}/run`).filter(isAlive);
const jq = (filter: string, input: string) =>
  execFileSync('jq', ['-r', filter], { input, encoding: 'utf8' }).trim().split('\n');

/** Boots that the console tells of. */
const boots = (test: DaemonUnderTest, name: string) =>
  test.cli('vm', 'logs', name, '--lines', '10000').output.split('Linux version').length - 1;

async function twoVms(): Promise<DaemonUnderTest> {
  if (!lab.ok) throw new Error(lab.reason);
  current = await DaemonUnderTest.create([]);
  const test = current;
  await test.ready();
  for (const name of ['made-1', 'made-2']) {
    const hardware = ['--memory', `${LAB_GUEST.memoryMib}MB`, '--forward', `${await freePort()}:80`];
    // The kernel is to say on the console that it boots.
    const append = labKernelLine({}).replace(' quiet', '');
    const kernel = ['--kernel', lab.kernel, '--initrd', lab.initrd, '--append', append];
    const start = name === 'made-1' ? ['--start'] : [];
    const made = test.cli('vm', 'create', name, '--label', 'tier=front', ...hardware, ...kernel, ...start);
    expect(made).toMatchObject({ status: 0, output: expect.stringContaining(`default/${name} was made`) });
  }
  return test;
}

describe.skipIf(!lab.ok)(
  `verbs on real VMs${lab.ok ? '' : ` (skipped: ${lab.reason})`}`,
  { timeout: 6 * MINUTE },
  () => {
    it('create, list, pause, reset, restart, stop, start and delete them, chosen by name, glob and label', async () => {
      const test = await twoVms();
      await test.vmOnce(
        'runs',
        'made-1',
        ({ vmm, health }) => vmm !== null && health === 'healthy',
        2 * MINUTE,
      );
      const listed = test.cli('vm', 'list', '--tag', 'tier=front', '--format', 'json').output;
      expect(JSON.parse(listed).vms).toMatchObject([{ name: 'made-1' }, { name: 'made-2' }]);
      if (hasJq) expect(jq('.vms[].name', listed)).toEqual(['made-1', 'made-2']);
      const got = JSON.parse(test.cli('vm', 'get', 'made-1', '--json').output);
      expect(got.health_check.checks.length).toBeGreaterThan(0);
      const checked = test.cli('status', 'made-1', '--check-now', '--json');
      expect(checked.status).toBe(0);
      expect(JSON.parse(checked.output).vms[0].results).toContainEqual(
        expect.objectContaining({ kind: 'vmState', outcome: { result: 'ok' } }),
      );

      expect(test.cli('vm', 'pause', 'made-1')).toMatchObject({
        status: 0,
        output: 'default/made-1: it is paused\n',
      });
      await test.vmOnce('paused', 'made-1', ({ health }) => health === 'paused');
      expect(test.cli('vm', 'resume', '--health-status', 'paused')).toMatchObject({ status: 0 });
      await test.vmOnce('goes on', 'made-1', ({ health }) => health !== 'paused');

      await poll('the first boot', MINUTE, () => boots(test, 'made-1') === 1 || undefined);
      const before = vmms(test).map(({ pid }) => pid);
      expect(test.cli('vm', 'reset', 'made-1')).toMatchObject({ status: 0 });
      await poll('another boot', 2 * MINUTE, () => boots(test, 'made-1') === 2 || undefined);
      expect(vmms(test).map(({ pid }) => pid)).toEqual(before);

      expect(test.cli('vm', 'restart', 'made-1', '--force')).toMatchObject({
        status: 0,
        output: expect.stringMatching(/^default\/made-1: process \d+ was killed; its VMM is process \d+\n$/),
      });
      expect(vmms(test).map(({ pid }) => pid)).not.toEqual(before);

      expect(test.cli('vm', 'start', 'made-*')).toMatchObject({ status: 0 });
      expect(vmms(test)).toHaveLength(2);
      const unsaid = test.cli('vm', 'stop', '--tag', 'tier', '--force');
      expect(unsaid).toMatchObject({
        status: 3,
        output: expect.stringContaining('would stop default/made-2'),
      });
      expect(vmms(test)).toHaveLength(2);
      expect(test.cli('vm', 'stop', '--tag', 'tier', '--force', '--yes')).toMatchObject({ status: 0 });
      expect(vmms(test)).toEqual([]);
      expect(test.cli('vm', 'reset', 'made-1')).toMatchObject({
        status: 1,
        output: expect.stringContaining('ERR_VMPULSE_VM_NOT_RUNNING'),
      });
      await poll('what was done to it', MINUTE, () =>
        /\| restart \| begins\n.*\| stop \| /s.test(test.cli('vm', 'logs', 'made-1', '--commands').output)
          ? true
          : undefined,
      );
      expect(test.cli('vm', 'delete', 'made-*', '--yes')).toMatchObject({ status: 0 });
      expect((await test.status()).vms).toEqual([]);
    });
  },
);
