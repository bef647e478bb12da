import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { livingState } from '../../src/hypervisors/process.js';
import type { QemuDriver } from '../../src/hypervisors/qemu/index.js';
import type { ProcessIdentity, VmSpec } from '../../src/model/vm.js';
import { labAvailable, needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { bootLabVm, killLabVms } from '../lab/vm.js';
import { BOOT_MS, DriverBench, EventLog, SOON } from './driver-bench.js';

const TEST_MS = 3 * BOOT_MS;
const DISK_BYTES = 1024 * 1024;

describe('the QEMU driver on real VMs', () => {
  let bench: DriverBench;
  let driver: QemuDriver;

  beforeAll(() => {
    if (!labAvailable().ok) return;
    bench = new DriverBench();
    driver = bench.newDriver();
  });
  beforeEach((context) => {
    needsLab(context);
  });
  afterAll(async () => {
    await killLabVms();
    await bench?.close();
  });

  const attached = (vm: VmSpec, by = driver) => bench.attached(by, vm);

  function writableDisk(name: string) {
    const path = join(bench.folder, name);
    writeFileSync(path, Buffer.alloc(DISK_BYTES));
    return { name: 'data', path, format: 'raw' as const, readOnly: false };
  }

  describe('a VM that it started', () => {
    let vm: VmSpec;
    let started: ProcessIdentity;

    beforeAll(async () => {
      if (!labAvailable().ok) return;
      vm = await bench.vm('web-1', { disks: [writableDisk('data.img')] });
      started = await bench.start(driver, vm);
      await bench.ready(vm);
    }, BOOT_MS);

    it('runs, with its record beside its sockets', async () => {
      expect(await driver.look(vm, SOON)).toMatchObject({ running: true, process: started });
      const session = await attached(vm);
      expect(await session.status(SOON)).toBe('running');
      expect(session.machineDigest).toBe(vm.machineDigest);
      expect(JSON.parse(readFileSync(bench.path(vm, 'vmm.pid'), 'utf8'))).toMatchObject(started);
    });

    it('is not started twice', async () => {
      await expect(driver.start(vm, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_VM_RUNNING' });
      await expect(bench.newDriver().start(vm, SOON)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_VM_RUNNING',
      });
      expect(await driver.look(vm, SOON)).toMatchObject({ running: true, process: started });
    });

    it('does not share its disk with a second VM', async () => {
      const second = await bench.vm('web-2', { disks: vm.hypervisor.disks });
      await expect(driver.start(second, SOON)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_DISK_IN_USE',
        message: expect.stringContaining(`process ${started.pid} (qemu-system-x86`),
      });
      expect(await driver.look(second, SOON)).toMatchObject({ running: false });
      // Its own disk does not stand against its own replacement.
      await driver.proveStart(vm, SOON);
    });

    it("is kept from a second writer by QEMU's own lock where no scan can help", async () => {
      const drive = `file=${vm.hypervisor.disks[0]?.path},format=raw,if=virtio`;
      const thief = await bench.vm('thief', { extraArgs: ['-drive', drive] });
      await expect(bench.start(driver, thief)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_START_FAILED',
        message: expect.stringContaining('Failed to get "write" lock'),
      });
    });

    it('runs commands in the guest', async () => {
      const session = await attached(vm);
      await poll('the agent answers', SOON.deadlineMs, () => session.agent?.connected || undefined);
      expect(await session.exec(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3'], SOON)).toEqual({
        exitCode: 3,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      await expect(session.exec(['/no/such/program'], SOON)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_COMMAND',
      });
      await expect(session.exec(['/bin/sleep', '60'], { deadlineMs: 500 })).rejects.toMatchObject({
        code: 'ERR_VMPULSE_TIMEOUT',
      });
    });

    it('is paused and resumed', async () => {
      const session = await attached(vm);
      const log = new EventLog(session);
      await session.pause(SOON);
      expect(await session.status(SOON)).toBe('paused');
      await session.resume(SOON);
      expect(await session.status(SOON)).toBe('running');
      await log.take({ type: 'paused' });
      await log.take({ type: 'resumed' });
    });

    it('panics, leaves evidence, and boots again by a reset', { timeout: TEST_MS }, async () => {
      const session = await attached(vm);
      const log = new EventLog(session);
      const before = await bench.ready(vm);
      await bench.fault(vm, 'panic');
      await log.take({ type: 'panicked', action: 'pause' });
      await log.take({ type: 'paused' });
      expect(await session.status(SOON)).toBe('guest-panicked');
      const evidence = await session.capture({ ...SOON, label: 'e2e-panic' });
      expect(evidence).toMatchObject({ status: 'guest-panicked' });
      expect(evidence.consoleTail).toMatch(/Kernel panic - not syncing: sysrq triggered crash/);
      expect(
        readFileSync(evidence.files.find((file) => file.endsWith('monitor.json')) ?? '', 'utf8'),
      ).toContain('guest-panicked');

      await session.reset(SOON);
      expect(await session.status(SOON)).toBe('running');
      await log.take({ type: 'reset', guest: false });
      expect(await bench.ready(vm, before)).not.toBe(before);
      expect(livingState(started)).toBeDefined();
    });

    it('is stopped by its watchdog, which lives again after a reset', { timeout: 2 * TEST_MS }, async () => {
      const session = await attached(vm);
      const log = new EventLog(session);
      let before = await bench.ready(vm);
      for (const _ of ['first', 'second']) {
        await bench.fault(vm, 'watchdog-stop');
        await log.take({ type: 'watchdog', action: 'pause' });
        expect(await session.status(SOON)).toBe('watchdog');
        await expect(session.resume(SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
        await session.reset(SOON);
        before = await bench.ready(vm, before);
      }
      expect(await session.status(SOON)).toBe('running');
    });

    it('reboots through its agent, as one reset', { timeout: TEST_MS }, async () => {
      const session = await attached(vm);
      const log = new EventLog(session);
      const before = await bench.ready(vm);
      await poll('the agent answers', SOON.deadlineMs, () => session.agent?.connected || undefined);
      await session.reboot({ deadlineMs: BOOT_MS });
      await bench.ready(vm, before);
      await log.take({ type: 'reset', guest: true });
      expect(log.events.filter(({ type }) => type === 'reset')).toEqual([]);
      expect(bench.console(vm)).toContain('shutdown: reboot');
    });

    it('reboots by its power button when the agent is dead, and keeps its VMM', {
      timeout: TEST_MS,
    }, async () => {
      const session = await attached(vm);
      const before = await bench.ready(vm);
      await bench.fault(vm, 'kill-agent');
      await poll('the agent falls silent', SOON.deadlineMs, () =>
        session.exec(['/bin/true'], { deadlineMs: 1_000 }).then(
          () => undefined,
          () => true,
        ),
      );
      await session.reboot({ deadlineMs: BOOT_MS });
      await bench.ready(vm, before);
      expect(bench.console(vm)).toContain('shutdown: poweroff');
      expect(livingState(started)).toBeDefined();
    });

    it('hangs by SIGSTOP: every call ends at its deadline, and SIGCONT brings it back', {
      timeout: TEST_MS,
    }, async () => {
      const session = await attached(vm);
      await bench.ready(vm);
      process.kill(started.pid, 'SIGSTOP');
      await expect.poll(() => livingState(started)).toBe('T');
      const short = { deadlineMs: 500 };
      const begun = performance.now();
      const calls = [
        session.status(short),
        session.reset(short),
        session.reboot(short),
        session.pause(short),
        session.resume(short),
        session.exec(['/bin/true'], short),
      ];
      for (const call of await Promise.allSettled(calls)) expect(call).toMatchObject({ status: 'rejected' });
      expect(await session.capture({ ...SOON, label: 'hung' })).toMatchObject({ status: 'unknown' });
      expect(performance.now() - begun).toBeLessThan(15_000);

      await session.continueProcess(SOON);
      expect(livingState(started)).not.toBe('T');
      // What was asked while it hung may come true now: the guest runs, whatever its boot.
      await poll('status running', SOON.deadlineMs, async () => {
        const status = await session.status({ deadlineMs: 1_000 });
        if (status === 'paused' || status === 'prelaunch') await session.resume(SOON);
        return status === 'running' || undefined;
      });
      await bench.ready(vm);
    });

    it('is found by a restarted daemon, with and without the record', async () => {
      for (const lose of [false, true]) {
        if (lose) rmSync(bench.path(vm, 'vmm.pid'));
        const session = await attached(vm, bench.newDriver());
        expect(session.process).toEqual(started);
        expect(session.machineDigest).toBe(lose ? undefined : vm.machineDigest);
        expect(await session.status(SOON)).toBe('running');
        await session.detach();
      }
    });

    it('is not taken for another VM whose record names its PID', async () => {
      const other = await bench.vm('web-3');
      mkdirSync(dirname(bench.path(other, 'vmm.pid')), { recursive: true });
      const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      for (const startTimeTicks of [started.startTimeTicks - 1, started.startTimeTicks]) {
        const record = {
          ...started,
          startTimeTicks,
          hostBootId: bootId,
          argvDigest: '',
          machineDigest: '',
          startedAt: 1,
        };
        writeFileSync(bench.path(other, 'vmm.pid'), JSON.stringify(record));
        expect(await driver.look(other, SOON)).toEqual({
          running: false,
          leftovers: [bench.path(other, 'vmm.pid')],
        });
        await expect(driver.attach(other, { ...started, startTimeTicks }, SOON)).rejects.toMatchObject({
          code: 'ERR_VMPULSE_IDENTITY',
        });
      }
    });

    it('says that its monitor is held by another client', async () => {
      const other = createConnection(bench.path(vm, 'qmp.sock'));
      onTestFinished(() => void other.destroy());
      await new Promise((resolve) => other.once('data', resolve));
      const session = await attached(vm);
      const log = new EventLog(session);
      await log.take({ type: 'monitor', state: 'busy' });
      await expect(session.status({ deadlineMs: 500 })).rejects.toMatchObject({
        code: 'ERR_VMPULSE_CHANNEL',
      });
      other.destroy();
      await log.take({ type: 'monitor', state: 'connected' });
      expect(await session.status(SOON)).toBe('running');
    });

    it('ends in order when it is asked to', { timeout: TEST_MS }, async () => {
      const session = await attached(vm);
      const log = new EventLog(session);
      await bench.ready(vm);
      await session.status(SOON);
      await session.stop('graceful', { deadlineMs: BOOT_MS });
      expect(livingState(started)).toBeUndefined();
      await log.take({ type: 'powerdown' });
      await log.take({ type: 'shutdown', guest: true, reason: 'guest-shutdown' });
      expect(await driver.look(vm, SOON)).toEqual({ running: false, leftovers: [] });
    });
  });

  it('does not start what QEMU refuses, and says what QEMU said', async () => {
    const vm = await bench.vm('broken', { machine: 'no-such-machine' });
    await expect(driver.start(vm, SOON)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_FAILED',
      message: expect.stringMatching(/ended with status 1.*unsupported machine type/s),
    });
    expect(await driver.look(vm, SOON)).toEqual({ running: false, leftovers: [] });
  });

  it('adopts a QEMU that somebody else started', { timeout: TEST_MS }, async () => {
    const lab = await bootLabVm({ name: 'foreign', dir: join(bench.folder, 'foreign') });
    await lab.waitReady({ deadlineMs: BOOT_MS });
    const before = await lab.bootId();
    const vm = await bench.vm('foreign', { adopt: { qmpSocket: lab.qmpPath, agentSocket: lab.qgaPath } });
    expect(await driver.look(vm, SOON)).toMatchObject({ running: true, process: { pid: lab.pid } });
    await expect(driver.start(vm, SOON)).rejects.toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });

    const session = await attached(vm);
    await poll('the agent answers', SOON.deadlineMs, () => session.agent?.connected || undefined);
    expect(await session.exec(['/bin/echo', 'hello'], SOON)).toMatchObject({ stdout: 'hello\n' });
    await session.reset(SOON);
    const after = await poll('a new boot', BOOT_MS, async () => {
      const id = await lab.bootId();
      return id === before ? undefined : id;
    });
    expect(after).not.toBe(before);
    await session.stop('force', SOON);
    expect(await driver.look(vm, SOON)).toEqual({ running: false, leftovers: [] });
    expect(existsSync(lab.qmpPath)).toBe(true);
  });

  it('leaves its VMs running when its process is killed', { timeout: TEST_MS }, async () => {
    const vm = await bench.vm('orphan');
    const dist = new URL('../../dist/', import.meta.url).href;
    const script = `
      import { ProbeEngine } from '${dist}engine/index.js';
      import { createDrivers } from '${dist}hypervisors/registry.js';
      import { WorkerPool } from '${dist}pool/index.js';
      const options = { ...${JSON.stringify(bench.options)}, engine: new ProbeEngine(), pool: new WorkerPool() };
      await createDrivers(options).qemu.start(${JSON.stringify(vm)}, { deadlineMs: 20000 });
      process.kill(process.pid, 'SIGKILL');`;
    const daemon = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    await expect(daemon).rejects.toMatchObject({ signal: 'SIGKILL' });
    const session = await attached(vm);
    bench.track(session.process);
    expect(session.machineDigest).toBe(vm.machineDigest);
    expect(await session.status(SOON)).toBe('running');
    await bench.ready(vm);
    await session.stop('force', SOON);
    expect(livingState(session.process)).toBeUndefined();
  });
});
