import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLI } from '../../demo/cli.mjs';
import { isAlive, processesNaming } from '../../demo/processes.mjs';
import { until } from '../../demo/wait.mjs';
import { labAvailable } from '../../lab/vm.mjs';
import type { HostView, VmView } from '../../src/runtime/views.js';
import { DaemonUnderTest, MINUTE } from './world.js';

const lab = labAvailable();

let current: DaemonUnderTest | undefined;
let unmount: () => void = () => {};

async function create(...args: Parameters<typeof DaemonUnderTest.create>): Promise<DaemonUnderTest> {
  current = await DaemonUnderTest.create(...args);
  return current;
}

afterEach(async () => {
  unmount();
  unmount = () => {};
  await current?.dispose();
  current = undefined;
}, MINUTE);

function vmOf(status: HostView, name: string): VmView {
  const vm = status.vms.find(({ id }) => id.endsWith(`/${name}`));
  if (!vm) throw new Error(`no VM ${name} in the status`);
  return vm;
}

/** The VMM of a VM in status, once it is another one than before. */
function newVmm(test: DaemonUnderTest, name: string, before: VmView): Promise<NonNullable<VmView['vmm']>> {
  return until(`${name} with a new VMM`, MINUTE, async () => {
    const { vmm } = vmOf(await test.status(), name);
    return vmm !== null && vmm.startTimeTicks !== before.vmm?.startTimeTicks ? vmm : undefined;
  });
}

describe.skipIf(!lab.ok)(
  `daemon on real VMs${lab.ok ? '' : ` (skipped: ${lab.reason})`}`,
  { timeout: 4 * MINUTE },
  () => {
    beforeAll(() => {
      expect(lab.ok).toBe(true);
    });

    it('is killed, comes back, takes every VM over and touches none', async () => {
      const test = await create(['a', 'b']);
      await test.allHealthy();
      const before = await test.status();
      await test.crash();
      for (const { vmm } of before.vms) expect(vmm && isAlive(vmm)).toBe(true);
      test.restart();
      await test.allHealthy();
      const after = await test.status();
      expect(after.pid).not.toBe(before.pid);
      expect(after.vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
      for (const { id } of after.vms)
        expect((await test.explain(id)).pastEpisodes.map((e) => e.outcome)).not.toContain('open');
    });

    it('dies in the middle of a start and never has two VMMs', async () => {
      const test = await create(['a']);
      await test.allHealthy();
      const before = vmOf(await test.status(), 'a');
      const starting = until(
        'the start in the log',
        MINUTE,
        () => (test.log().includes('start begins') ? true : undefined),
        5,
      );
      process.kill(before.vmm?.pid ?? 0, 'SIGKILL');
      await starting;
      await test.crash();
      test.restart();
      await test.allHealthy();
      const vmms = processesNaming(`${test.world.dir}/run`).filter(isAlive);
      expect(vmms).toHaveLength(1);
      expect(vmOf(await test.status(), 'a').vmm?.pid).toBe(vmms[0]?.pid);
    });

    it('refuses a second daemon on its state directory', async () => {
      const test = await create(['a']);
      await test.allHealthy();
      const second = spawn(
        process.execPath,
        [CLI, 'run', '--config', test.world.config, '--socket', `${test.world.dir}/second.sock`],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      let said = '';
      second.stderr.setEncoding('utf8').on('data', (text) => (said += text));
      const status = await new Promise((resolve) => second.once('close', resolve));
      expect(status).not.toBe(0);
      expect(said).toContain('ERR_VMPULSE_LOCKED');
      expect(said).toContain(String(test.daemon.pid));
      expect(vmOf(await test.status(), 'a').health).toBe('healthy');
    });

    it('does nothing while a person holds recovery, and recovers on resume', async () => {
      const test = await create(['a']);
      await test.allHealthy();
      const before = vmOf(await test.status(), 'a');
      expect(test.cli('recovery', 'hold', '--reason', 'switch maintenance').status).toBe(0);
      process.kill(before.vmm?.pid ?? 0, 'SIGKILL');
      const held = await until('the hold in explain', MINUTE, async () => {
        const explanation = await test.explain('a');
        return explanation.episode !== null && explanation.holds.length > 0 ? explanation : undefined;
      });
      expect(held.holds.map((hold: { readonly text: string }) => hold.text).join()).toContain(
        'switch maintenance',
      );
      expect(vmOf(await test.status(), 'a').vmm).toBeNull();
      expect(test.cli('recovery', 'resume').status).toBe(0);
      await newVmm(test, 'a', before);
    });

    it('refuses a broken reload whole, and watches a VM added by a good one', async () => {
      const test = await create(['a']);
      await test.allHealthy();
      const before = await test.status();
      const broken = join(test.world.dir, 'vms.d', 'broken.yaml');
      writeFileSync(
        broken,
        'apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: b}\nspec: {runStrateggy: Always}\n',
      );
      const refused = test.cli('reload');
      expect(refused.status).not.toBe(0);
      expect(refused.output).toMatch(/broken\.yaml:4:.*runStrateg/);
      expect((await test.status()).vms.map(({ vmm }) => vmm)).toEqual(before.vms.map(({ vmm }) => vmm));
      rmSync(broken);
      expect(test.cli('reload').status).toBe(0);
      rmSync(join(test.world.dir, 'vms.d', 'a.yaml'));
      expect(test.cli('reload').status).toBe(0);
      expect((await test.status()).vms).toEqual([]);
      // No longer watched, but never stopped.
      const { vmm } = vmOf(before, 'a');
      expect(vmm && isAlive(vmm)).toBe(true);
    });

    it('holds recovery while the disk under the journal is full, and goes on when it is not', async (context) => {
      if (process.getuid?.() !== 0) context.skip('only root can mount a small disk');
      const test = await create(['a']);
      await test.allHealthy();
      // A small disk of its own under the state directory: the daemon starts anew on it.
      const exit = new Promise((resolve) => test.daemon.once('exit', resolve));
      test.daemon.kill('SIGTERM');
      await exit;
      const state = join(test.world.dir, 'state');
      mkdirSync(state, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'tmpfs', state]);
      unmount = () => execFileSync('umount', ['--lazy', state]);
      test.restart();
      await test.allHealthy();
      const before = vmOf(await test.status(), 'a');
      const filler = join(state, 'filler');
      fill(filler);
      process.kill(before.vmm?.pid ?? 0, 'SIGKILL');
      await until('the journal degraded', MINUTE, async () =>
        (await test.status()).degradations.some(({ what }) => what === 'journal') ? true : undefined,
      );
      await test.explainedOnce('held for the journal', 'a', ({ holds }) =>
        holds.some(({ rule }) => rule === 'journal-unavailable'),
      );
      expect((await test.vm('a')).vmm).toBeNull();
      rmSync(filler);
      await until('the journal well again', MINUTE, async () =>
        (await test.status()).degradations.every(({ what }) => what !== 'journal') ? true : undefined,
      );
      // What was lost meanwhile is for a person to judge: recovery holds until one resumes it.
      expect((await test.status()).holds.map(({ reason }) => reason).join()).toContain('journal');
      expect(vmOf(await test.status(), 'a').vmm).toBeNull();
      expect(test.cli('recovery', 'resume').status).toBe(0);
      await newVmm(test, 'a', before);
    });
  },
);

/** Writes until the disk is full. */
function fill(path: string): void {
  try {
    for (let size = 1 << 20; size >= 512; size = size === 1 << 20 ? 4096 : size / 2) {
      for (;;) {
        try {
          writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
          break;
        }
      }
    }
  } finally {
    execFileSync('sync');
  }
}
