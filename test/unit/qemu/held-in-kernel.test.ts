import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import type { DriverHost } from '../../../src/hypervisors/host.js';
import { identify, livingState } from '../../../src/hypervisors/process.js';
import { QemuDriver } from '../../../src/hypervisors/qemu/qemu-driver.js';
import { stopVmm } from '../../../src/hypervisors/vmm/stop-vmm.js';
import { Deadline } from '../../../src/model/deadline.js';
import { errnoOf, errorMessage } from '../../../src/model/errors.js';
import type { ProcessIdentity } from '../../../src/model/vm.js';
import { testFolder } from '../../fixtures/folder.js';
import { testHost, testVm } from './fixtures.js';

const UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
const FREEZER = '/sys/fs/cgroup/freezer';
const SOURCE = fileURLToPath(new URL('./hang-in-kernel.c', import.meta.url));

/** The program that hangs; without a compiler the test is skipped. */
function build(context: TestContext): string {
  const program = join(testFolder(), 'hang-in-kernel');
  try {
    execFileSync('cc', ['-Wall', '-Werror', '-o', program, SOURCE], { stdio: 'pipe' });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') context.skip('there is no C compiler');
    throw error;
  }
  return program;
}

/** A process that the driver takes for the VMM of a VM. */
async function run(path: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(path, [...args, '-uuid', UUID], { argv0: 'qemu-system-x86_64', stdio: 'pipe' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    child.stdin?.end();
    await ended;
  });
  await new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', () => reject(new Error(String(child.stderr?.read()))));
    child.stdout?.once('data', resolve);
  });
  return child;
}

function identityOf({ pid = 0 }: ChildProcess): ProcessIdentity {
  const found = identify(pid);
  if (found === undefined) throw new Error('it is gone');
  return found;
}

async function untilStateD(target: ProcessIdentity): Promise<void> {
  await expect.poll(() => livingState(target), { timeout: 10_000 }).toBe('D');
}

/** A frozen process is in state D, and no signal ends it. */
async function frozen(context: TestContext): Promise<ProcessIdentity> {
  if (!existsSync(join(FREEZER, 'tasks'))) context.skip('there is no freezer of control groups version 1');
  const group = join(FREEZER, `vmpulse-test-${process.pid}`);
  try {
    mkdirSync(group);
  } catch (error) {
    context.skip(`no control group can be made: ${errorMessage(error)}`);
  }
  onTestFinished(() => rmdirSync(group));
  const child = await run(process.execPath, '-e', 'console.log(1); setInterval(() => {}, 60000)', '--');
  onTestFinished(() => writeFileSync(join(group, 'freezer.state'), 'THAWED'));
  writeFileSync(join(group, 'cgroup.procs'), String(child.pid));
  writeFileSync(join(group, 'freezer.state'), 'FROZEN');
  const target = identityOf(child);
  await untilStateD(target);
  return target;
}

/** As one whose disk lies on a server that is gone: it was killed, and cannot end. */
async function onDeadStorage(context: TestContext): Promise<ProcessIdentity> {
  if (process.getuid?.() !== 0) context.skip('only root mounts a file system');
  try {
    accessSync('/dev/fuse');
  } catch {
    context.skip('there is no /dev/fuse');
  }
  const folder = testFolder();
  const target = identityOf(await run(build(context), 'fuse', folder));
  process.kill(target.pid, 'SIGKILL');
  await untilStateD(target);
  return target;
}

function stop(target: ProcessIdentity): Promise<unknown> {
  const handle = { fd: undefined, close: () => {}, signal: () => process.kill(target.pid, 'SIGKILL') };
  return stopVmm({ name: 'a/b', process: target, handle }, [], new Deadline('stop', { deadlineMs: 1_000 }));
}

async function refusesStart(target: ProcessIdentity): Promise<void> {
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
}

describe.each([
  { how: 'is frozen', hanging: frozen },
  { how: 'waits for storage that never answers', hanging: onDeadStorage },
])('a VMM that hangs in the kernel: it $how', ({ hanging }) => {
  it('is told as stuck, not as ended, however hard it is killed', async (context) => {
    const target = await hanging(context);
    await expect(stop(target)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_PROCESS_STUCK',
      details: { pid: target.pid, state: 'D' },
    });
    expect(livingState(target)).toBe('D');
  });

  it('holds every start of its VM', async (context) => {
    const target = await hanging(context);
    process.kill(target.pid, 'SIGKILL');
    await refusesStart(target);
    expect(livingState(target)).toBe('D');
  });
});

describe('a VMM in state D that heeds SIGKILL, as one that waits for its child', () => {
  it('holds every start, and is ended', async (context) => {
    const target = identityOf(await run(build(context), 'vfork'));
    await untilStateD(target);
    await refusesStart(target);
    await stop(target);
    expect(livingState(target)).toBeUndefined();
  });
});
