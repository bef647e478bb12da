import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DriverHost } from '../../../src/hypervisors/host.js';
import { identify, livingState } from '../../../src/hypervisors/process.js';
import { QemuDriver } from '../../../src/hypervisors/qemu/qemu-driver.js';
import { stopVmm } from '../../../src/hypervisors/vmm/stop-vmm.js';
import { Deadline } from '../../../src/model/deadline.js';
import type { ProcessIdentity } from '../../../src/model/vm.js';
import { testFolder, testHost, testVm } from './fixtures.js';

/** A frozen process is in state D, and no signal ends it, as one that waits for storage. */
const FREEZER = '/sys/fs/cgroup/freezer';
const GROUP = join(FREEZER, `vmpulse-test-${process.pid}`);
const UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';

let vmm: ChildProcess | undefined;

beforeEach((context) => {
  if (!existsSync(join(FREEZER, 'tasks'))) context.skip('there is no freezer of control groups version 1');
  try {
    mkdirSync(GROUP);
  } catch (error) {
    context.skip(`no control group can be made: ${String(error)}`);
  }
});

afterEach(async () => {
  if (!existsSync(GROUP)) return;
  writeFileSync(join(GROUP, 'freezer.state'), 'THAWED');
  const ended = new Promise((resolve) => vmm?.once('exit', resolve));
  if (vmm?.exitCode === null && vmm.signalCode === null) {
    vmm.kill('SIGKILL');
    await ended;
  }
  rmdirSync(GROUP);
});

/** A VMM that hangs in the kernel. */
async function hanging(): Promise<ProcessIdentity> {
  const args = ['-e', 'setInterval(() => {}, 60000)', '--', '-uuid', UUID];
  vmm = spawn(process.execPath, args, { argv0: 'qemu-system-x86_64', stdio: 'ignore' });
  await new Promise((resolve) => vmm?.once('spawn', resolve));
  writeFileSync(join(GROUP, 'cgroup.procs'), String(vmm.pid));
  writeFileSync(join(GROUP, 'freezer.state'), 'FROZEN');
  const found = identify(vmm.pid ?? 0);
  if (found === undefined) throw new Error('it is gone');
  await expect.poll(() => livingState(found), { timeout: 10_000 }).toBe('D');
  return found;
}

describe('a VMM that hangs in the kernel', () => {
  it('is told as stuck, not as ended, however hard it is killed', async () => {
    const target = await hanging();
    const handle = { fd: undefined, close: () => {}, signal: () => process.kill(target.pid, 'SIGKILL') };
    const stop = stopVmm(
      { name: 'a/b', process: target, handle },
      [],
      new Deadline('stop', { deadlineMs: 1_000 }),
    );
    await expect(stop).rejects.toMatchObject({
      code: 'ERR_VMPULSE_PROCESS_STUCK',
      details: { pid: target.pid, state: 'D' },
    });
    expect(livingState(target)).toBe('D');
  });

  it('holds every start of its VM', async () => {
    const target = await hanging();
    process.kill(target.pid, 'SIGKILL');
    const folder = testFolder();
    const parts: Partial<DriverHost> = {};
    const driver = new QemuDriver(testHost(parts), {
      runDir: join(folder, 'run'),
      stateDir: join(folder, 'state'),
      lockDir: join(folder, 'lock'),
    });
    const vm = testVm({ binary: process.execPath }, { id: 'default/web', name: 'web', uuid: UUID });
    await expect(driver.start(vm, { deadlineMs: 20_000 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_VM_RUNNING',
      details: { pid: target.pid },
    });
  });
});
