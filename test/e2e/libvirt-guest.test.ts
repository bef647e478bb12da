import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { LAB_GUEST, labAvailable, labKernelLine } from '../../lab/vm.mjs';
import { ProbeEngine } from '../../src/engine/index.js';
import { livingState } from '../../src/hypervisors/process.js';
import { createDrivers } from '../../src/hypervisors/registry.js';
import type { LibvirtSpec } from '../../src/model/hypervisors/libvirt.js';
import type { VmmEvent } from '../../src/model/ports.js';
import { WorkerPool } from '../../src/pool/index.js';
import { poll } from '../lab/poll.js';
import { testVm } from '../unit/qemu/fixtures.js';
import { PrivateLibvirtd, whyNoLibvirt } from './libvirtd.js';

const SOON = { deadlineMs: 20_000 };
const BOOT = { deadlineMs: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'vmp-g-'));
const libvirtd = new PrivateLibvirtd(folder);
const engine = new ProbeEngine();
const pool = new WorkerPool();

afterAll(async () => {
  await libvirtd.stop();
  await engine.close();
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a Linux guest under libvirt', () => {
  it('is asked through its agent, rebooted, seen to panic, and reset', {
    timeout: 600_000,
  }, async (context) => {
    const lab = labAvailable();
    const skip = lab.ok ? whyNoLibvirt() : lab.reason;
    if (skip !== undefined || !lab.ok) return context.skip(skip);
    await libvirtd.start();
    const { libvirt: driver } = createDrivers({
      runDir: join(folder, 'run'),
      stateDir: join(folder, 'state'),
      lockDir: join(folder, 'lock'),
      searchPath: process.env.PATH ?? '',
      engine,
      pool,
    });
    const hypervisor: LibvirtSpec = {
      driver: 'libvirt',
      uri: libvirtd.uri,
      binary: 'qemu-system-x86_64',
      architecture: 'x86_64',
      machine: 'q35',
      accel: 'tcg',
      memoryMiB: LAB_GUEST.memoryMib,
      vcpus: 1,
      kernel: { image: lab.kernel, initrd: lab.initrd, append: labKernelLine({}) },
      disks: [],
      interfaces: [],
      guestAgent: true,
      pvpanic: false,
      watchdog: { name: 'dog', model: 'i6300esb', action: 'pause' },
      // The guest's kernel has no driver for the ISA device.
      extraArgs: ['-device', 'pvpanic-pci,addr=0x1e'],
    };
    const vm = { ...testVm({}, { uuid: crypto.randomUUID() }), hypervisor };
    const started = await driver.start(vm, SOON);
    onTestFinished(() => {
      if (livingState(started) !== undefined) process.kill(started.pid, 'SIGKILL');
    });
    const session = await driver.attach(vm, started, SOON);
    onTestFinished(() => session.detach());
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));
    const count = (type: VmmEvent['type']) => events.filter((event) => event.type === type).length;
    const agentAnswers = () =>
      poll('the agent answers', BOOT.deadlineMs, () =>
        session.pingAgent({ deadlineMs: 3_000 }).then(
          () => true,
          () => undefined,
        ),
      );
    const bootId = async () => {
      const { stdout } = await session.exec(['/bin/cat', '/proc/sys/kernel/random/boot_id'], SOON);
      return stdout.trim();
    };
    await agentAnswers();
    const first = await bootId();
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect((await session.resources(SOON)).source).toBe('qemu-guest-agent');

    await session.reboot(BOOT);
    expect(count('reset')).toBe(1);
    expect(count('shutdown')).toBe(0);
    await agentAnswers();
    const second = await bootId();
    expect(second).not.toBe(first);

    await session
      .exec(['/bin/sh', '-c', 'echo c > /proc/sysrq-trigger'], { deadlineMs: 2_000 })
      .catch(() => {});
    await poll('the panic is told', 30_000, async () => count('panicked') > 0 || undefined);
    expect(await session.status(SOON)).toBe('guest-panicked');
    await session.reset(SOON);
    expect(await session.status(SOON)).toBe('running');
    await agentAnswers();
    expect(await bootId()).not.toBe(second);

    await session.stop('graceful', BOOT);
    expect(livingState(started)).toBeUndefined();
  });
});
