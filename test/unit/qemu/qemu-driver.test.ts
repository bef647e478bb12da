import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DriverHost } from '../../../src/hypervisors/host.js';
import { livingState } from '../../../src/hypervisors/process.js';
import { QemuDriver } from '../../../src/hypervisors/qemu/qemu-driver.js';
import { findSystemdRun, launchCommand } from '../../../src/hypervisors/vmm/launch.js';
import type { QemuSpec } from '../../../src/model/hypervisors/qemu.js';
import type { ProcessIdentity, VmSpec } from '../../../src/model/vm.js';
import { testFolder } from '../../fixtures/folder.js';
import { FakeChannel, testHost, testVm } from './fixtures.js';
import { standIn } from './processes.js';

const SOON = { deadlineMs: 10_000 };

/** A driver with a program of the test's in QEMU's place; its monitor is a channel in memory. */
function setUp(script = 'setInterval(() => {}, 1e6)', parts: Partial<DriverHost> = {}) {
  const folder = testFolder();
  const binary = program(folder, `#!${process.execPath}\n${script}`);
  const openChannel = () => new FakeChannel().on('query-status', () => ({ status: 'running' }));
  const host = testHost({ openChannel, ...parts });
  const options = {
    runDir: join(folder, 'run'),
    stateDir: join(folder, 'state'),
    lockDir: join(folder, 'lock'),
  };
  const vm = (name: string, hypervisor: Partial<QemuSpec> = {}) =>
    testVm({ binary, ...hypervisor }, { id: `default/${name}`, name, uuid: crypto.randomUUID() });
  const newDriver = () => new QemuDriver(host, options);
  const vmFolder = (name: string) => join(options.runDir, 'vms/default', name);
  return { driver: newDriver(), newDriver, vm, folder, vmFolder };
}

function program(folder: string, text: string): string {
  const path = join(folder, 'qemu');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

async function start(driver: QemuDriver, vm: VmSpec): Promise<ProcessIdentity> {
  const started = await driver.start(vm, SOON);
  onTestFinished(() => {
    if (livingState(started) !== undefined) process.kill(started.pid, 'SIGKILL');
  });
  return started;
}

describe('starting', () => {
  it('leaves a VMM that any later driver finds', async () => {
    const { driver, newDriver, vm, vmFolder } = setUp();
    const web = vm('web-1');
    const started = await start(driver, web);
    for (const each of [driver, newDriver()]) {
      expect(await each.look(web, SOON)).toMatchObject({ running: true, process: started });
    }
    const record: unknown = JSON.parse(readFileSync(join(vmFolder('web-1'), 'vmm.pid'), 'utf8'));
    expect(record).toMatchObject({ ...started, machineDigest: 'digest-1' });
    const session = await newDriver().attach(web, started, SOON);
    expect(session).toMatchObject({ process: started, pidfd: 99, machineDigest: 'digest-1' });
    await session.detach();
  });

  it('gives the VMM a session and files of its own', async () => {
    const { driver, vm, vmFolder } = setUp(
      `console.log('out'); console.error('err'); setInterval(() => {}, 1e6)`,
    );
    const { pid } = await start(driver, vm('web-1'));
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    expect(Number(fields[3])).toBe(pid);
    expect(statSync(vmFolder('web-1')).mode & 0o777).toBe(0o700);
    const log = join(vmFolder('web-1'), 'vmm.log');
    await expect.poll(() => readFileSync(log, 'utf8')).toBe('out\nerr\n');
    expect(statSync(log).mode & 0o777).toBe(0o600);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toMatch(/^PATH=[^\0]*\0LANG=C\.UTF-8\0$/);
  });

  it('is refused a second time', async () => {
    const { driver, newDriver, vm } = setUp();
    const web = vm('web-1');
    const { pid } = await start(driver, web);
    const again = newDriver().start(web, SOON);
    await expect(again).rejects.toMatchObject({ code: 'ERR_VMPULSE_VM_RUNNING', details: { pid } });
  });

  it('is refused while it is under way', async () => {
    const silent = new FakeChannel();
    const { driver, newDriver, vm } = setUp(undefined, { openChannel: () => silent });
    const web = vm('web-1');
    silent.connected = false;
    const first = driver.start(web, SOON);
    await expect.poll(() => newDriver().look(web, SOON)).toMatchObject({ running: true });
    await expect(newDriver().start(web, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_LOCKED' });
    silent.on('query-status', () => ({ status: 'running' })).tell({ type: 'connected', atMs: 0 });
    process.kill((await first).pid, 'SIGKILL');
  });

  it('is refused with a disk that another start is about to take', async () => {
    const silent = new FakeChannel();
    const { driver, vm, folder } = setUp(undefined, { openChannel: () => silent });
    const path = join(folder, 'disk.img');
    writeFileSync(path, '');
    const disks = [{ name: 'root', path, format: 'raw' as const, readOnly: false }];
    silent.connected = false;
    const web1 = vm('web-1', { disks });
    const first = driver.start(web1, SOON);
    await expect.poll(() => driver.look(web1, SOON)).toMatchObject({ running: true });
    await expect(driver.start(vm('web-2', { disks }), SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_DISK_IN_USE',
    });
    silent.on('query-status', () => ({ status: 'running' })).tell({ type: 'connected', atMs: 0 });
    process.kill((await first).pid, 'SIGKILL');
  });

  it('fails with the end of the log when the VMM ends', async () => {
    const silent = new FakeChannel();
    silent.connected = false;
    const script = `for (let i = 0; i < 50; i++) console.error('line ' + i); console.error('\\x1b[2Jno such machine'); process.exitCode = 3`;
    const { driver, vm, vmFolder } = setUp(script, { openChannel: () => silent });
    const error = await driver.start(vm('web-1'), SOON).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_VMPULSE_START_FAILED' });
    const { message } = error as Error;
    expect(message).toContain('the VMM of default/web-1 did not come up: it ended with status 3');
    expect(message).toMatch(/last line first: \\u001b\[2Jno such machine \| line 49 \| /);
    expect(message).not.toContain('line 10');
    expect(existsSync(join(vmFolder('web-1'), 'vmm.pid'))).toBe(false);
    expect(silent.closed).toBe(true);
  });

  it('fails when the program cannot be run', async () => {
    const { driver, vm, folder } = setUp();
    const binary = program(folder, '#!/nowhere/interpreter\n');
    await expect(driver.start(vm('web-1', { binary }), SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
      message: expect.stringMatching(/ENOENT.*vmm\.log is empty/),
    });
  });

  it('fails when the monitor does not answer, and leaves no VMM', async () => {
    const silent = new FakeChannel();
    silent.connected = false;
    const { driver, vm } = setUp(undefined, { openChannel: () => silent });
    const web = vm('web-1');
    await expect(driver.start(web, { deadlineMs: 1_500 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
    });
    expect(await driver.look(web, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('fails when its record cannot be written, and leaves no VMM', async () => {
    const { driver, vm, vmFolder } = setUp();
    const web = vm('web-1');
    mkdirSync(join(vmFolder('web-1'), 'vmm.pid.partial'), { recursive: true });
    await expect(driver.start(web, SOON)).rejects.toThrow('EISDIR');
    expect(await driver.look(web, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('is refused with a lock folder that belongs to somebody else', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('only root can give a folder away');
    const { driver, vm, folder } = setUp();
    mkdirSync(join(folder, 'lock'));
    chownSync(join(folder, 'lock'), 12_345, 12_345);
    await expect(driver.start(vm('web-1'), SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringContaining('belongs to user 12345'),
    });
  });

  it('on KVM is remembered', async () => {
    const { driver, vm, folder } = setUp();
    const [kvm, tcg] = [vm('web-1', { accel: 'kvm' }), vm('web-2')];
    await start(driver, kvm);
    await start(driver, tcg);
    expect(readdirSync(join(folder, 'state', 'ran-on-kvm'))).toEqual([kvm.uuid]);
  });

  it('leaves a VMM alone whose start was withdrawn', async () => {
    const silent = new FakeChannel();
    silent.connected = false;
    const { driver, vm } = setUp(undefined, { openChannel: () => silent });
    const web = vm('web-1');
    const abort = new AbortController();
    const starting = driver.start(web, { ...SOON, signal: abort.signal });
    await expect.poll(() => driver.look(web, SOON)).toMatchObject({ running: true });
    abort.abort();
    await expect(starting).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    const look = await driver.look(web, SOON);
    expect(look.running).toBe(true);
    if (look.running) process.kill(look.process.pid, 'SIGKILL');
  });

  it('keeps the logs of the VMM before, and clears its sockets', async () => {
    const { driver, vm, vmFolder } = setUp();
    const folder = vmFolder('web-1');
    mkdirSync(folder, { recursive: true });
    for (const name of ['console.log', 'vmm.log', 'qmp.sock', 'qga.sock'])
      writeFileSync(join(folder, name), `old ${name}`);
    const web = vm('web-1');
    expect(await driver.look(web, SOON)).toEqual({
      running: false,
      leftovers: [join(folder, 'qmp.sock'), join(folder, 'qga.sock')],
    });
    await start(driver, web);
    expect(readFileSync(join(folder, 'console.log.1'), 'utf8')).toBe('old console.log');
    expect(readFileSync(join(folder, 'vmm.log.1'), 'utf8')).toBe('old vmm.log');
    expect(existsSync(join(folder, 'qmp.sock'))).toBe(false);
  });

  it('goes through systemd where it runs', () => {
    const argv = ['/usr/bin/qemu', '-uuid', 'x'];
    const here = { account: undefined, systemdRun: undefined };
    expect(launchCommand(testVm(), argv, here)).toEqual(argv);
    expect(launchCommand(testVm(), argv, { ...here, systemdRun: '/usr/bin/systemd-run' })).toEqual([
      '/usr/bin/systemd-run',
      '--scope',
      expect.stringMatching(/^--unit=vmpulse-default-web-1-[0-9a-f]{8}$/),
      '--slice=vmpulse.slice',
      '--collect',
      '--quiet',
      '--description=vmpulse VM default/web-1',
      '--',
      ...argv,
    ]);
    const confined = testVm({ limits: { memoryMiB: 512, cpus: 1.5, tasks: 40 } });
    const account = { uid: 5001, gid: 5001, groups: [107] };
    expect(launchCommand(confined, argv, { account, systemdRun: '/usr/bin/systemd-run' })).toEqual([
      '/usr/bin/systemd-run',
      '--scope',
      expect.any(String),
      '--slice=vmpulse.slice',
      '--collect',
      '--quiet',
      '--description=vmpulse VM default/web-1',
      ...['--property', 'MemoryMax=512M', '--property', 'CPUQuota=150%', '--property', 'TasksMax=40'],
      '--',
      ...['setpriv', '--reuid=5001', '--regid=5001', '--groups=107', '--inh-caps=-all', '--no-new-privs'],
      ...argv,
    ]);
    expect(findSystemdRun('/nowhere')).toBeUndefined();
  });
});

describe('attaching', () => {
  it('is refused to a process that is not the VMM', async () => {
    const { driver, vm } = setUp();
    const web = vm('web-1');
    const other = await standIn([]);
    await expect(driver.attach(web, other, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_IDENTITY' });
    const started = await start(driver, web);
    const reused = { ...started, startTimeTicks: started.startTimeTicks - 1 };
    await expect(driver.attach(web, reused, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_IDENTITY' });
  });

  it('is refused to a VMM of another run directory, which is not started beside it either', async () => {
    const { driver, vm } = setUp();
    const web = vm('web-1');
    const started = await start(driver, web);
    const { driver: elsewhere } = setUp();
    await expect(elsewhere.attach(web, started, SOON)).rejects.toThrow('adopt it by its sockets');
    await expect(elsewhere.start(web, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_VM_RUNNING' });
  });

  it('is refused for a name that leads out of the run directory', async () => {
    const { driver } = setUp();
    const vm = testVm({}, { name: '..' });
    await expect(driver.look(vm, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });
});

describe('what the driver can do', () => {
  it('depends on the VM', () => {
    const { driver, vm } = setUp();
    const service = (hypervisor: Partial<QemuSpec>, restartService?: readonly string[]) => {
      const web = vm('web-1', hypervisor);
      return driver.supports(
        { ...web, recovery: { ...web.recovery, ...(restartService && { restartService }) } },
        'restart-service',
      );
    };
    expect(driver.supports(vm('web-1'), 'power-cycle')).toBe(true);
    expect(service({}, ['/sbin/svc'])).toBe(true);
    expect(service({}, [])).toBe(false);
    expect(service({})).toBe(false);
    expect(service({ guestAgent: false }, ['/sbin/svc'])).toBe(false);
  });

  it('is not to start an adopted VM', async () => {
    const { driver, vm } = setUp();
    const web = vm('web-1', { adopt: { qmpSocket: '/nowhere/q.sock' } });
    expect(
      (['start', 'power-cycle', 'reset', 'reboot'] as const).map((step) => driver.supports(web, step)),
    ).toEqual([false, false, true, true]);
    await expect(driver.start(web, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
    await expect(driver.proveStart(web, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
    });
    expect(await driver.look(web, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('is to prove a start while the VM runs, and changes nothing', async () => {
    const { driver, vm, vmFolder, folder } = setUp();
    const web = vm('web-1');
    await driver.proveStart(web, SOON);
    expect(existsSync(vmFolder('web-1'))).toBe(false);
    expect(existsSync(join(folder, 'lock'))).toBe(false);
    await start(driver, web);
    await driver.proveStart(web, SOON);
    await expect(
      driver.proveStart({ ...web, hypervisor: { ...web.hypervisor, binary: '/none' } }, SOON),
    ).rejects.toThrow('/none');
  });
});
