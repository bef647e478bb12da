import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nativeHost } from '../../../src/hypervisors/native-host.js';
import { ObservedDriver } from '../../../src/hypervisors/observed/observed-driver.js';
import { WorkerPool } from '../../../src/pool/index.js';
import { compileOne } from '../../config/compile.js';
import { testFolder } from '../../fixtures/folder.js';
import { poll } from '../../lab/poll.js';
import { runCommandLine } from '../cli/in-process.js';

const CALL = { deadlineMs: 20_000 };
const QEMU = spawnSync('sh', ['-c', 'command -v qemu-system-x86_64'], { encoding: 'utf8' }).stdout.trim();

/** Something that calls itself as a VMM does; it is killed with the test. */
function lookAlike(program: string, ...args: readonly string[]): ChildProcess {
  const idle = ['-e', 'setInterval(() => {}, 60000)', '--', ...args];
  return killedAtEnd(spawn(process.execPath, idle, { argv0: program, stdio: 'ignore' }));
}

function killedAtEnd(child: ChildProcess): ChildProcess {
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Puts a process into a control group that it makes, where that is possible; else says why not. */
function putInto(name: string, child: ChildProcess): string | undefined {
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'];
  const root = roots.find((path) => existsSync(join(path, 'cgroup.procs')));
  if (root === undefined) return 'there are no control groups here';
  const group = join(root, name);
  try {
    mkdirSync(group);
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await poll('the control group is empty', 10_000, () => isRemoved(group) || undefined);
    });
    writeFileSync(join(group, 'cgroup.procs'), `${child.pid}`);
    return undefined;
  } catch (error) {
    return `no control group can be made here: ${String(error)}`;
  }
}

function isRemoved(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return !existsSync(group);
  }
}

async function discovered(pid: number | undefined) {
  const { stdout } = await runCommandLine(['discover', '--json']);
  const { vms }: { vms: { id: string; process?: { pid: number } }[] } = JSON.parse(stdout);
  return vms.find(({ process }) => process?.pid === pid);
}

describe('vmpulse discover', () => {
  it('finds VMMs of this host, whoever they say they are', async () => {
    const firecracker = lookAlike(
      'firecracker',
      '--id',
      'vmpulse-test-fc',
      '--api-sock',
      '/run/vmpulse-test.sock',
    );
    const hypervisor = lookAlike(
      'cloud-hypervisor',
      '--api-socket',
      'path=/run/vmpulse-test-ch.sock',
      '--cpus',
      'boot=2',
    );
    expect(await poll('found', 10_000, () => discovered(firecracker.pid))).toMatchObject({
      id: 'default/vmpulse-test-fc',
      vmm: 'firecracker',
      api: '/run/vmpulse-test.sock',
      owner: { kind: 'user' },
    });
    expect(await discovered(hypervisor.pid)).toMatchObject({
      id: 'default/cloud-hypervisor-vmpulse-test-ch',
      vcpus: 2,
    });
    const { stdout, status } = await runCommandLine(['discover', 'vmpulse-test-fc']);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(
        /^VM +VMM +PID .*\ndefault\/vmpulse-test-fc +firecracker +\d+ +uid 0 .* API\n$/,
      ),
    });
  });

  it('knows the unit of the system whose process it is', async (context) => {
    const unit = `vmpulse-test-${crypto.randomUUID().slice(0, 8)}.service`;
    const child = lookAlike(
      'firecracker',
      '--id',
      'vmpulse-test-unit',
      '--api-sock',
      '/run/vmpulse-test-u.sock',
    );
    const why = putInto(unit, child);
    if (why !== undefined) return context.skip(why);
    expect(await poll('found', 10_000, () => discovered(child.pid))).toMatchObject({
      owner: { kind: 'systemd', unit },
    });
  });

  it('knows a VM of Proxmox by its sockets', async () => {
    const child = lookAlike(
      'qemu-system-x86_64',
      ...['-id', '104', '-name', 'vmpulse-test-pve', '-uuid', crypto.randomUUID(), '-m', '64'],
      ...['-chardev', 'socket,id=qmp,path=/var/run/qemu-server/104.qmp,server=on,wait=off'],
      ...['-mon', 'chardev=qmp,mode=control', '-pidfile', '/var/run/qemu-server/104.pid'],
    );
    expect(await poll('found', 10_000, () => discovered(child.pid))).toMatchObject({
      owner: { kind: 'proxmox', id: '104' },
    });
    const { stdout } = await runCommandLine(['discover', 'vmpulse-test-pve', '--format', 'documents']);
    expect(compileOne(stdout).hypervisor).toMatchObject({ driver: 'observed' });
  });

  it('finds a real QEMU, and writes the documents that adopt it', async (context) => {
    if (QEMU === '') return context.skip('qemu-system-x86_64 is not installed');
    const qmp = join(testFolder(), 'q.sock');
    const args = `-name guest=vmpulse-test-q,debug-threads=on -M none -m 64 -display none -nodefaults -qmp unix:${qmp},server=on,wait=off`;
    killedAtEnd(spawn(QEMU, args.split(' '), { stdio: 'ignore' }));
    await poll('its monitor', 10_000, () => existsSync(qmp) || undefined);
    const { stdout } = await runCommandLine(['discover', 'vmpulse-test-q', '--format', 'documents']);
    expect(compileOne(stdout)).toMatchObject({
      id: 'default/vmpulse-test-q',
      hypervisor: { driver: 'qemu', memoryMiB: 64, adopt: { qmpSocket: qmp } },
      recovery: { enabled: false },
    });
  });

  it('says so where there is no such VM', async () => {
    const { status, stderr } = await runCommandLine(['discover', 'no-such-vm']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('no VM no-such-vm was found'),
    });
  });
});

describe('vmpulse vm adopt', () => {
  it('is refused for a VM of others, which is told with its owner', async () => {
    const socket = join(testFolder(), 'none.sock');
    const pidFile = '/var/run/qemu-server/987.pid';
    const child = lookAlike('kvm', '-id', '987', '-name', 'vmpulse-test-pve', '-pidfile', pidFile);
    await poll('found', 10_000, () => discovered(child.pid));
    const { status, stderr } = await runCommandLine(['vm', 'adopt', 'vmpulse-test-pve', '--socket', socket]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr:
        'vmpulse: VM default/vmpulse-test-pve belongs to proxmox (987): it is only observed; see vmpulse discover --format documents [ERR_VMPULSE_UNSUPPORTED]\n',
    });
  });

  it('needs the daemon, and a VM that is there', async () => {
    const socket = join(testFolder(), 'none.sock');
    expect((await runCommandLine(['vm', 'adopt', 'no-such-vm', '--socket', socket])).stderr).toContain(
      'ERR_VMPULSE_VM_UNKNOWN',
    );
    const child = lookAlike('firecracker', '--id', 'vmpulse-test-adopt');
    await poll('found', 10_000, () => discovered(child.pid));
    const { status, stderr } = await runCommandLine([
      'vm',
      'adopt',
      'vmpulse-test-adopt',
      '--socket',
      socket,
    ]);
    expect({ status, stderr }).toEqual({
      status: 69,
      stderr: expect.stringContaining('ERR_VMPULSE_DAEMON_UNREACHABLE'),
    });
  });
});

describe('an observed VM', () => {
  const vmOf = (mark: string) =>
    compileOne(`{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: a}, spec: {runStrategy: Manual, template: {spec: {}}}}
---
{apiVersion: vmpulse.dev/v1, kind: VirtualMachineHost, metadata: {name: a}, spec: {hypervisor: {observed: {mark: ${mark}}}, recovery: {enabled: true}}}`);

  function driver(): ObservedDriver {
    const pool = new WorkerPool({ maxThreads: 1 });
    onTestFinished(() => pool.close());
    const openChannel = () => {
      throw new Error('a socket was opened');
    };
    return new ObservedDriver(nativeHost({ openChannel }, pool));
  }

  it.each([
    ['beside its option', ['--id', 'vmpulse-test-o1'], '--id vmpulse-test-o1'],
    ['attached to it', ['--id=VMPULSE-test-o2'], '--id vmpulse-test-o2'],
    ['among others', ['-name', 'a=b,guest=vmpulse-test-o3'], '-name guest=vmpulse-test-o3'],
  ])('is known by its mark %s', async (_where, args, mark) => {
    const child = lookAlike('firecracker', ...args);
    const observed = driver();
    const look = await poll('look', 10_000, async () => {
      const seen = await observed.look(vmOf(mark), CALL);
      return seen.running ? seen : undefined;
    });
    expect(look.process.pid).toBe(child.pid);
    const session = await observed.attach(vmOf(mark), look.process, CALL);
    onTestFinished(() => session.detach());
    expect(await session.status()).toBe('running');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    for (const act of ['reset', 'reboot', 'pause', 'resume', 'stop', 'continueProcess', 'exec'] as const)
      await expect(session[act]()).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await ended;
    await expect(session.status()).rejects.toMatchObject({ code: 'ERR_VMPULSE_VM_NOT_RUNNING' });
    expect(await observed.look(vmOf(mark), CALL)).toEqual({ running: false, leftovers: [] });
  });

  it('is not guessed among several, and never started', async () => {
    const observed = driver();
    const vm = vmOf('--id vmpulse-test-twice');
    lookAlike('firecracker', '--id', 'vmpulse-test-twice');
    lookAlike('firecracker', '--id', 'vmpulse-test-twice');
    await poll('both', 10_000, () =>
      observed.look(vm, CALL).then(
        () => undefined,
        (error: { code: string }) => error.code === 'ERR_VMPULSE_IDENTITY' || undefined,
      ),
    );
    await expect(observed.start(vm)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
    await expect(observed.proveStart(vm)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
    expect(observed.supports()).toBe(false);
  });
});
