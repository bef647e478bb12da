import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { snapshotNames } from '../../src/hypervisors/libvirt/qcow2.js';
import { livingState } from '../../src/hypervisors/process.js';
import { poll } from '../lab/poll.js';
import { tinyGuest } from '../lab/tiny-guest.js';
import { LibvirtBench, SOON } from './libvirt-bench.js';
import { whyNoLibvirt } from './libvirtd.js';
import { whyNoKvm, whyNoQemu } from './qemu-program.js';

const skip = whyNoQemu() ?? whyNoLibvirt();

describe('a domain that libvirt runs', { timeout: 240_000 }, () => {
  let bench: LibvirtBench;

  beforeAll(async () => {
    bench = new LibvirtBench();
    if (skip === undefined) await bench.libvirtd.start();
  }, 120_000);
  beforeEach((context) => {
    if (skip !== undefined) context.skip(skip);
  });
  afterAll(() => bench.close());

  function qcow2(name: string) {
    const path = join(bench.folder, `${name}.qcow2`);
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '64M']);
    return { name, path, format: 'qcow2', readOnly: false } as const;
  }

  it('is given more memory as far as it has room, and says what it does not take', async () => {
    const vm = bench.vm('grows', { memoryMiB: 128, maxMemoryMiB: 512, vcpus: 2 });
    const { session } = await bench.run(vm);
    expect(await session.resizeMemory({ mib: 256, relative: false }, SOON)).toBe(256);
    expect(await session.resizeMemory({ mib: 128, relative: true }, SOON)).toBe(384);
    expect(await session.resizeMemory({ mib: 384, relative: false }, SOON)).toBe(384);
    for (const [mib, why] of [
      [1024, 'at most 512 MiB'],
      [100, 'blocks of 128 MiB'],
      [-128, 'cannot be made smaller'],
    ] as const)
      await expect(session.resizeMemory({ mib, relative: true }, SOON)).rejects.toMatchObject({
        code: 'ERR_VMPULSE_UNSUPPORTED',
        message: expect.stringContaining(why),
      });
    expect(await session.status(SOON)).toBe('running');
    const { session: small } = await bench.run(bench.vm('stays'));
    await expect(small.resizeMemory({ mib: 128, relative: true }, SOON)).rejects.toMatchObject({
      message: expect.stringContaining('set maxMemory'),
    });
  });

  it('is saved inside its disks, once, and runs on', async (context) => {
    if (!existsSync('/usr/bin/qemu-img')) context.skip('there is no qemu-img');
    const disks = [qcow2('root'), qcow2('data')];
    const vm = bench.vm('saved', { disks });
    const { session, started } = await bench.run(vm);
    const name = 'before & after';
    expect(await session.snapshot({ ...SOON, name })).toEqual(['root', 'data']);
    expect(await session.snapshot({ ...SOON, name })).toEqual(['root', 'data']);
    for (const { path } of disks) expect(await snapshotNames(path)).toEqual([name]);
    const listed = execFileSync('qemu-img', ['snapshot', '-U', '-l', disks[0]?.path ?? ''], {
      encoding: 'utf8',
    });
    expect(listed.split(name)).toHaveLength(2);
    await poll('it runs on', 20_000, async () => (await session.status(SOON)) === 'running' || undefined);
    expect(livingState(started)).toBeDefined();

    await session.stop('force', SOON);
    const again = await bench.run(vm);
    // libvirt has forgotten it with the domain; the disks have not.
    expect(bench.libvirtd.virsh('snapshot-list', 'e2e_saved', '--name').trim()).toBe('');
    await again.session.snapshot({ ...SOON, name });
    expect(bench.libvirtd.virsh('snapshot-list', 'e2e_saved', '--name').trim()).toBe('');
    await again.session.snapshot({ ...SOON, name: 'later' });
    expect(await snapshotNames(disks[0]?.path ?? '')).toEqual([name, 'later']);
  });

  it('is not saved where a disk cannot hold it', async () => {
    const { session } = await bench.run(bench.vm('diskless'));
    await expect(session.snapshot({ ...SOON, name: 'x' })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_UNSUPPORTED',
      message: expect.stringContaining('it has no writable disk'),
    });
  });

  it('runs on KVM, and its vCPU is seen to take interrupts', async (context) => {
    const obstacle = whyNoKvm();
    if (obstacle !== undefined) context.skip(obstacle);
    const { memoryMiB, machine, cpu, ...tiny } = tinyGuest(bench.folder, 'idle', 5);
    // libvirt has no words for these flags; the last of them counts.
    const extraArgs = [...tiny.extraArgs, '-machine', machine, '-cpu', cpu];
    const vm = bench.vm('kvm', { accel: 'kvm', cpu: 'qemu64', extraArgs, memoryMiB });
    const { session, started } = await bench.run(vm);
    expect(bench.libvirtd.virsh('dumpxml', 'e2e_kvm')).toMatch(/^<domain type='kvm'/);
    const open = readdirSync(`/proc/${started.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${started.pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
    expect(open).toContain('anon_inode:kvm-vm');
    const injected = async () => {
      const reading = await session.vcpus(SOON);
      return reading?.source === 'injections' ? reading.total : undefined;
    };
    const first = await poll('interrupts are counted', 20_000, injected);
    await poll('more of them', 20_000, async () => ((await injected()) ?? 0) > first || undefined);
    await session.pause(SOON);
    expect(await session.status(SOON)).toBe('paused');
    await session.resume(SOON);
    await session.reset(SOON);
    expect(await session.status(SOON)).toBe('running');
    await session.stop('force', SOON);
    expect(livingState(started)).toBeUndefined();
  });
});
