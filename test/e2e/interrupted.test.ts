import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, processesNaming } from '../../demo/processes.mjs';
import { labKernelLine } from '../../lab/vm.mjs';
import { openJournal } from '../../src/runtime/journal/index.js';
import type { VmView } from '../../src/runtime/views.js';
import { needsLab } from '../lab/availability.js';
import { configureVm, DaemonUnderTest, MINUTE } from './world.js';

/** A daemon that is told to end does so within this, whatever it is doing. */
const END_MS = 15_000;
const BACKOFF = { base: '1s', cap: '2s', jitter: 0 };

let current: DaemonUnderTest | undefined;

async function create(fields: Readonly<Record<string, unknown>>): Promise<DaemonUnderTest> {
  current = await DaemonUnderTest.create(['a'], {
    prepare: (world) => configureVm(world, 'a', { 'recovery.backoff': BACKOFF, ...fields }),
  });
  return current;
}

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

beforeEach((context) => {
  needsLab(context);
});

type Vmm = NonNullable<VmView['vmm']>;

async function vmmOf(test: DaemonUnderTest): Promise<Vmm> {
  const { vmm } = await test.vm('a');
  if (vmm === null) throw new Error('it has no VMM');
  return vmm;
}

/** VMMs of this world, alive. */
function vmms(test: DaemonUnderTest): number[] {
  return processesNaming(`${test.world.dir}/run`)
    .filter(isAlive)
    .map(({ pid }) => pid);
}

/** Ends the daemon and reads what it left: actions that began and have no end. */
async function unfinished(test: DaemonUnderTest): Promise<string[]> {
  expect(await test.terminate(END_MS)).toMatchObject({ code: 0 });
  const journal = await openJournal({ path: join(test.world.dir, 'state', 'journal.db') });
  try {
    return (await journal.unfinished()).map(({ text }) => text);
  } finally {
    await journal.close();
  }
}

const boots = (log: string) => log.match(/"(reset|power-cycle|start|reboot) begins/g)?.length ?? 0;

describe('a daemon that is killed in the middle of a recovery', { timeout: 4 * MINUTE }, () => {
  it('of a reset: looks what became of it, boots the guest once more at most, and forgets nothing', async () => {
    const test = await create({ 'recovery.stableFor': '2s' });
    await test.allHealthy();
    for (const moment of ['reset begins', 'evidence captured']) {
      const vmm = await vmmOf(test);
      const before = await test.bootId('a');
      const inTheMiddle = test.logged(moment);
      await test.fault('a', 'panic');
      await inTheMiddle;
      await test.crash();
      expect(isAlive(vmm)).toBe(true);
      const bootsBefore = boots(test.log());
      test.restart();
      await test.explainedOnce(
        'healed',
        'a',
        ({ health, episode }) => health === 'healthy' && episode === null,
        2 * MINUTE,
      );
      expect(boots(test.log()) - bootsBefore).toBeLessThanOrEqual(1);
      expect(await test.bootId('a')).not.toBe(before);
      expect(vmms(test)).toHaveLength(1);
      const { output } = test.cli('explain', 'a');
      expect(output).toContain('the daemon had ended during reset: ');
      expect(output).toMatch(/guest-hung \(guest-panicked\): reset.*; recovered/);
    }
    expect(await unfinished(test)).toEqual([]);
  });

  it('of a power-cycle, the VMM already dead: starts it, although nobody would have asked for it', async () => {
    const test = await create({
      'recovery.grace': '2s',
      'hypervisor.qemu.kernel.append': `${labKernelLine()} rdinit=/bin/sleep -- 1000000`,
    });
    // A reset came before; only the power-cycle ends a VMM.
    await test.logged('the VMM ended');
    await test.crash();
    const left = vmms(test);
    test.restart();
    const { vmm } = await test.vmOnce('with a VMM', 'a', (vm) => vm.vmm !== null);
    // The new one may have been spawned in the very moment; then it is taken over.
    if (left.length > 0) expect(left).toEqual([vmm?.pid]);
    expect(vmms(test)).toEqual([vmm?.pid]);
    expect(test.cli('explain', 'a').output).toMatch(/the daemon had ended during power-cycle/);
  });
});

describe('a daemon that is told to end in the middle of a recovery', { timeout: 4 * MINUTE }, () => {
  it('of a command in the guest that hangs: ends soon, and the VM goes on', async () => {
    const test = await create({ 'recovery.restartService': ['/bin/sleep', '600'] });
    await test.allHealthy();
    const vmm = await vmmOf(test);
    const inTheMiddle = test.logged('restart-service begins');
    await test.fault('a', 'kill-httpd');
    await inTheMiddle;
    expect(await unfinished(test)).toEqual(['restart-service begins (service: service-unreachable)']);
    expect(isAlive(vmm)).toBe(true);
    test.restart();
    await test.vmOnce('taken over', 'a', (vm) => vm.vmm?.pid === vmm.pid);
    expect(test.cli('explain', 'a').output).toContain('the daemon had ended during restart-service');
    expect(await unfinished(test)).toEqual([]);
    expect(isAlive(vmm)).toBe(true);
  });

  it('of a start that takes long: ends soon, and the next daemon takes the VM over', async () => {
    const test = await create({});
    await test.allHealthy();
    const first = await vmmOf(test);
    // From now on it takes its time.
    const binary = join(test.world.dir, 'qemu');
    writeFileSync(binary, '#!/bin/sh\nsleep 4\nexec qemu-system-x86_64 "$@"\n');
    chmodSync(binary, 0o755);
    configureVm(test.world, 'a', { 'hypervisor.qemu.binary': binary });
    expect(test.cli('reload').status).toBe(0);
    const inTheMiddle = test.logged('start begins');
    process.kill(first.pid, 'SIGKILL');
    await inTheMiddle;
    await expect.poll(() => vmms(test), { timeout: MINUTE }).toHaveLength(1);
    const [starting] = vmms(test);
    expect(await unfinished(test)).toEqual(['start begins (vmm-dead: process-gone)']);
    expect(vmms(test)).toEqual([starting]);
    const begun = boots(test.log());
    test.restart();
    await test.allHealthy();
    expect((await vmmOf(test)).pid).toBe(starting);
    expect(vmms(test)).toEqual([starting]);
    expect(boots(test.log())).toBe(begun);
  });
});
