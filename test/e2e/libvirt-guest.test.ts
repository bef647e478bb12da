import { afterAll, describe, expect, it } from 'vitest';
import { labAvailable, labKernelLine } from '../../lab/vm.mjs';
import { livingState } from '../../src/hypervisors/process.js';
import type { VmmEvent } from '../../src/model/ports.js';
import { poll } from '../lab/poll.js';
import { LibvirtBench, SOON } from './libvirt-bench.js';
import { whyNoLibvirt } from './libvirtd.js';

/** Of a guest that is emulated, on a host where much else runs. */
const BOOT = { deadlineMs: 300_000 };
const bench = new LibvirtBench();

afterAll(() => bench.close());

describe('a Linux guest under libvirt', () => {
  it('is asked through its agent, rebooted, seen to panic, and reset', {
    timeout: 1_200_000,
  }, async (context) => {
    const lab = labAvailable();
    const skip = lab.ok ? whyNoLibvirt() : lab.reason;
    if (skip !== undefined || !lab.ok) return context.skip(skip);
    await bench.libvirtd.start();
    const vm = bench.vm('linux', {
      machine: 'q35',
      // A guest that takes more needs some for it.
      memoryMiB: 256,
      maxMemoryMiB: 512,
      kernel: {
        image: lab.kernel,
        initrd: lab.initrd,
        append: `${labKernelLine({})} memhp_default_state=online`,
      },
      guestAgent: true,
      watchdog: { name: 'dog', model: 'i6300esb', action: 'pause' },
      // The guest's kernel has no driver for the ISA device.
      extraArgs: ['-device', 'pvpanic-pci,addr=0x1e'],
    });
    const { started, session } = await bench.run(vm);
    const events: VmmEvent[] = [];
    session.onEvent((event) => events.push(event));
    const count = (type: VmmEvent['type']) => events.filter((event) => event.type === type).length;
    const agentAnswers = () =>
      poll('the agent answers', BOOT.deadlineMs, () =>
        session.pingAgent({ deadlineMs: 12_000 }).then(
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
    expect(await session.addresses?.(SOON)).toContainEqual({ mac: '00:00:00:00:00:00', ip: '127.0.0.1' });

    const memoryKiB = async () => {
      const { stdout } = await session.exec(['/bin/cat', '/proc/meminfo'], SOON);
      return Number(/^MemTotal: +(\d+) kB$/m.exec(stdout)?.[1]);
    };
    const before = await memoryKiB();
    expect(await session.resizeMemory({ mib: 128, relative: true }, SOON)).toBe(384);
    await poll(
      'the guest has it',
      BOOT.deadlineMs,
      async () => (await memoryKiB()) > before + 100 * 1024 || undefined,
    );

    await session.reboot(BOOT);
    expect(count('reset')).toBe(1);
    expect(count('shutdown')).toBe(0);
    await agentAnswers();
    const second = await bootId();
    expect(second).not.toBe(first);

    await session
      .exec(['/bin/sh', '-c', 'echo c > /proc/sysrq-trigger'], { deadlineMs: 2_000 })
      .catch(() => {});
    await poll('the panic is told', 120_000, async () => count('panicked') > 0 || undefined);
    expect(await session.status(SOON)).toBe('guest-panicked');
    await session.reset(SOON);
    expect(await session.status(SOON)).toBe('running');
    await agentAnswers();
    expect(await bootId()).not.toBe(second);

    await session.stop('graceful', BOOT);
    expect(livingState(started)).toBeUndefined();
  });
});
