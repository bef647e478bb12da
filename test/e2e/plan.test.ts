import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, processesNaming } from '../../demo/processes.mjs';
import { LAB_GUEST, labAvailable, labKernelLine } from '../../lab/vm.mjs';
import type { ExecutionView } from '../../src/lifecycle/index.js';
import { freePort } from '../fixtures/ports.js';
import { poll } from '../lab/poll.js';
import { DaemonUnderTest, MINUTE } from './world.js';

const lab = labAvailable();
const UUID = randomUUID();
const hasQemuImg = existsSync('/usr/bin/qemu-img');
const hasIsoTool = ['xorriso', 'genisoimage', 'mkisofs', 'cloud-localds'].some((name) =>
  existsSync(`/usr/bin/${name}`),
);

let current: DaemonUnderTest | undefined;

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

async function create(): Promise<DaemonUnderTest> {
  current = await DaemonUnderTest.create([]);
  await current.ready();
  return current;
}

async function createAction(more: Record<string, unknown> = {}) {
  if (!lab.ok) throw new Error(lab.reason);
  const { httpPort, healthPath, memoryMib } = LAB_GUEST;
  return {
    operation_id: 'create-1',
    operation: 'CREATE',
    vm_id: UUID,
    name: 'made',
    vcpu_count: 1,
    memory_mib: memoryMib,
    run_strategy: 'Always',
    hypervisor: {
      qemu: {
        machine: 'q35,smm=off,hpet=off',
        accel: 'tcg',
        kernel: { image: lab.kernel, initrd: lab.initrd, append: labKernelLine({}) },
        interfaces: [{ user: { forwards: [{ hostPort: await freePort(), guestPort: httpPort }] } }],
      },
    },
    host: {
      livenessProbe: { httpGet: { port: httpPort, path: healthPath }, periodMs: 1000, timeoutMs: 800 },
    },
    ...more,
  };
}

function apply(test: DaemonUnderTest, key: string, actions: readonly object[], ...flags: string[]) {
  const file = join(test.world.dir, `${key}.json`);
  writeFileSync(file, JSON.stringify({ idempotency_key: key, actions }));
  return test.cli('apply', '--plan', file, ...flags);
}

function viewOf(output: string): ExecutionView {
  return JSON.parse(output);
}

/** What the VM's folder has in that file. */
const inFolder = (test: DaemonUnderTest, name: string) =>
  readFileSync(join(test.world.dir, 'state', 'vms', 'default', 'made', name), 'utf8');

function stateOnce(test: DaemonUnderTest, state: string): Promise<{ pid: number | null }> {
  return poll(`${state} in state.json`, MINUTE, () => {
    const found = JSON.parse(inFolder(test, 'state.json'));
    return found.state === state ? found : undefined;
  });
}

const vmms = (test: DaemonUnderTest) => processesNaming(`${test.world.dir}/run`).filter(isAlive);
const action = (operation: string, more: object = {}) => ({
  operation_id: operation.toLowerCase(),
  operation,
  vm_id: UUID,
  ...more,
});

describe.skipIf(!lab.ok)(
  `plans on real VMs${lab.ok ? '' : ` (skipped: ${lab.reason})`}`,
  { timeout: 4 * MINUTE },
  () => {
    it('create, start, pause, resume, stop and delete a VM, and leave it off while stopped', async () => {
      const test = await create();
      const made = [await createAction(), action('START')];
      const dry = apply(test, 'make', made, '--dry-run');
      expect(dry).toMatchObject({
        status: 0,
        output: expect.stringContaining('create-1: CREATE default/made'),
      });
      expect((await test.status()).vms).toEqual([]);

      const up = apply(test, 'make', made);
      expect(up).toMatchObject({
        status: 0,
        output: expect.stringMatching(/^SUCCEEDED create-1 .*\nSUCCEEDED start /),
      });
      await test.vmOnce('healthy', 'made', ({ health }) => health === 'healthy', 2 * MINUTE);
      const first = await test.vm('made');
      expect(apply(test, 'make', made).output).toContain('attempt 1');
      expect((await test.vm('made')).vmm).toEqual(first.vmm);

      expect(apply(test, 'rest', [action('PAUSE')]).status).toBe(0);
      await test.vmOnce('paused', 'made', ({ health }) => health === 'paused');
      expect(apply(test, 'on', [action('RESUME')]).status).toBe(0);
      await test.vmOnce('healthy again', 'made', ({ health }) => health === 'healthy');

      // Killed, so that nothing but the intent says that it is to stay off.
      expect(apply(test, 'off', [action('STOP', { force: true })]).status).toBe(0);
      expect(vmms(test)).toEqual([]);
      const off = await test.vmOnce('stopped', 'made', ({ health }) => health === 'stopped');
      expect(off.note).toMatch(/stopped by \S+@\d+: plan off/);
      await test.crash();
      test.restart();
      await test.vmOnce('still stopped', 'made', ({ health, vmm }) => health === 'stopped' && vmm === null);
      expect(vmms(test)).toEqual([]);

      expect(apply(test, 'again', [action('START')]).status).toBe(0);
      expect(vmms(test)).toHaveLength(1);
      const gone = apply(test, 'delete', [action('DELETE', { force: true })], '--json');
      expect(viewOf(gone.output)).toMatchObject({ status: 'SUCCEEDED' });
      expect((await test.status()).vms).toEqual([]);
      expect(vmms(test)).toEqual([]);
    });

    it('leave a folder that tells of the VM, and nothing once it is deleted', async () => {
      const test = await create();
      const cloudInit = { userData: '#cloud-config\n', metaData: 'instance-id: lab\n' };
      const made = await createAction({ start: true, run_strategy: 'Manual' });
      const host = { ...made.host, ...(hasIsoTool ? { cloudInit } : {}) };
      expect(apply(test, 'make', [{ ...made, host }])).toMatchObject({ status: 0 });
      const { pid } = await stateOnce(test, 'RUNNING');
      expect(pid).toBe(vmms(test)[0]?.pid);
      expect(inFolder(test, 'pid')).toBe(`${pid}\n`);
      const done = /Z \S+@\d+ \| start \| .*done: its VMM is process/;
      await poll(
        'the start in its log',
        MINUTE,
        () => done.test(inFolder(test, 'commands.log')) || undefined,
      );
      await poll('the console in its folder', MINUTE, () =>
        inFolder(test, 'console.log') === '' ? undefined : true,
      );
      if (hasIsoTool) {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        expect(argv).toMatch(/"driver":"raw".*"read-only":true/s);
        expect(argv).toContain(join(test.world.dir, 'state', 'vms', 'default', 'made', 'seed.iso'));
      }

      expect(test.cli('vm', 'recreate', 'made')).toMatchObject({ status: 3 });
      const anew = test.cli('vm', 'recreate', 'made', '--force', '--yes');
      expect(anew).toMatchObject({
        status: 0,
        output: expect.stringMatching(/^default\/made: process \d+ was killed; its VMM is process \d+\n$/),
      });
      expect(vmms(test)).toHaveLength(1);
      expect(vmms(test)[0]?.pid).not.toBe(pid);

      const gone = test.cli('vm', 'delete', UUID, '--force', '--yes');
      expect(gone).toMatchObject({ status: 0, output: expect.stringContaining('default/made was deleted') });
      expect(vmms(test)).toEqual([]);
      for (const part of ['state', 'run'])
        expect(existsSync(join(test.world.dir, part, 'vms', 'default', 'made'))).toBe(false);
      expect(test.cli('gc')).toMatchObject({ status: 0, output: 'nothing to remove\n' });
    });

    it.skipIf(!hasQemuImg)(
      `save a VM inside its disks${hasQemuImg ? '' : ' (skipped without qemu-img)'}`,
      async () => {
        const test = await create();
        const disk = join(test.world.dir, 'root.qcow2');
        execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '64M']);
        const made = await createAction({ start: true });
        const disks = [{ path: disk, format: 'qcow2' }];
        const qemu = { ...made.hypervisor.qemu, disks };
        expect(apply(test, 'make', [{ ...made, hypervisor: { qemu } }])).toMatchObject({ status: 0 });
        await test.vmOnce('healthy', 'made', ({ health }) => health === 'healthy', 2 * MINUTE);
        const { vmm } = await test.vm('made');
        const save = [action('SNAPSHOT', { snapshot_name: 'before' })];
        expect(apply(test, 'save', save)).toMatchObject({
          status: 0,
          output: expect.stringContaining('saved as before in disk0'),
        });
        // Given under another key it is found done.
        expect(apply(test, 'save-again', save)).toMatchObject({ status: 0 });
        const listed = execFileSync('qemu-img', ['snapshot', '-U', '-l', disk], { encoding: 'utf8' });
        expect(listed.split('\n').filter((line) => line.includes(' before '))).toHaveLength(1);
        await test.vmOnce('healthy', 'made', ({ health }) => health === 'healthy');
        expect((await test.vm('made')).vmm).toEqual(vmm);
      },
    );

    it('tell what failed, skip the rest, and go on from there when given again', async () => {
      const test = await create();
      const kernel = join(test.world.dir, 'kernel');
      const made = await createAction();
      const broken = {
        ...made,
        hypervisor: { qemu: { ...made.hypervisor.qemu, kernel: { image: kernel } } },
      };
      const plan = [broken, action('START'), action('PAUSE')];
      const failed = apply(test, 'make', plan, '--json');
      expect(failed.status).toBe(1);
      const view = viewOf(failed.output);
      expect(view.status).toBe('PARTIAL');
      expect(view.actions.map(({ status }) => status)).toEqual(['SUCCEEDED', 'FAILED', 'SKIPPED']);
      expect(view.actions[1]?.error).toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
      if (lab.ok) execFileSync('cp', [lab.kernel, kernel]);
      const ended = viewOf(apply(test, 'make', plan, '--json').output);
      expect(ended).toMatchObject({ status: 'SUCCEEDED', attempt: 2, planId: view.planId });
      expect(vmms(test)).toHaveLength(1);
    });

    it.each(['create', 'start', 'delete'])('go on after a daemon that was killed in a %s', async (moment) => {
      const test = await create();
      const up = [await createAction(), action('START')];
      const kill = async (key: string, actions: readonly object[], text: string) => {
        const file = join(test.world.dir, `${key}.json`);
        writeFileSync(file, JSON.stringify({ idempotency_key: key, actions }));
        const logged = test.logged(text);
        const given = test.give('apply', '--plan', file);
        await logged;
        await test.crash();
        await given;
        test.restart();
        await test.ready();
      };
      if (moment === 'create') await kill('make', up, 'configuration applied: 1 added');
      else if (moment === 'start') await kill('make', up, 'start for');
      else expect(apply(test, 'make', up).status).toBe(0);
      const ended = viewOf(apply(test, 'make', up, '--json').output);
      expect(ended).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
      expect(vmms(test)).toHaveLength(1);
      expect((await test.vm('made')).vmm?.pid).toBe(vmms(test)[0]?.pid);
      const down = [action('DELETE', { force: true })];
      if (moment === 'delete') await kill('down', down, 'delete for');
      expect(viewOf(apply(test, 'down', down, '--json').output)).toMatchObject({ status: 'SUCCEEDED' });
      expect(vmms(test)).toEqual([]);
      expect((await test.status()).vms).toEqual([]);
    });
  },
);
