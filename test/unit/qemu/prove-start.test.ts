import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startedAtMs } from '../../../src/hypervisors/process.js';
import { Accelerators } from '../../../src/hypervisors/qemu/accelerator.js';
import { forwardArg } from '../../../src/hypervisors/qemu/command-line.js';
import { proveQemuStart } from '../../../src/hypervisors/qemu/prove-start.js';
import type { QemuVm } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { qemuPaths } from '../../../src/hypervisors/qemu/qemu-vm.js';
import type { FoundVmm } from '../../../src/hypervisors/vmm/find-vmm.js';
import { ProcScanner } from '../../../src/hypervisors/vmm/proc-scan/proc-scanner.js';
import { Deadline } from '../../../src/model/deadline.js';
import { testFolder } from '../../fixtures/folder.js';
import { testHost, testVm } from './fixtures.js';
import { standIn, type TestProcess } from './processes.js';

const KVM_WORKS = { ok: true } as const;
const KVM_BROKEN = { ok: false, reason: 'stuck, the vCPU hangs' } as const;

function prover(folder: string, kvm: typeof KVM_WORKS | typeof KVM_BROKEN = KVM_WORKS) {
  const host = testHost({ kvmCanary: async () => kvm });
  const accelerators = new Accelerators(host, join(folder, 'state'));
  const searchPath = join(folder, 'bin');
  mkdirSync(searchPath, { recursive: true });
  writeFileSync(join(searchPath, 'qemu-system-x86_64'), '#!/bin/sh\n');
  chmodSync(join(searchPath, 'qemu-system-x86_64'), 0o755);
  const prove = (vm: QemuVm, replacing?: FoundVmm, runDir = folder) => {
    const context = {
      paths: qemuPaths(runDir, vm),
      scanner: new ProcScanner(host),
      searchPath,
      replacing,
    };
    return proveQemuStart(vm, context, accelerators, new Deadline('proof', { deadlineMs: 10_000 }));
  };
  return { prove, accelerators, searchPath };
}

function disk(path: string, readOnly = false) {
  return { name: 'root', path, format: 'raw' as const, readOnly };
}

function foundVmm(process: TestProcess, argv: readonly string[] = []): FoundVmm {
  return { ...process, argv, startedAtMs: startedAtMs(process.startTimeTicks) };
}

async function listener(): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

describe('the proof of a start', () => {
  it('gives what the start will use', async () => {
    const folder = testFolder();
    const path = join(folder, 'disk.img');
    writeFileSync(path, '');
    const { prove, searchPath } = prover(folder);
    const plan = await prove(testVm({ disks: [disk(path)] }));
    expect(plan).toMatchObject({
      program: join(searchPath, 'qemu-system-x86_64'),
      accelerator: 'tcg',
      blockDevices: new Set(),
    });
    expect(plan.diskKeys).toEqual([expect.stringMatching(/^file-\d+-\d+$/)]);
  });

  it('names everything that is missing at once', async () => {
    const folder = testFolder();
    const { prove } = prover(folder);
    const port = await listener();
    const forwards = [{ hostAddress: '127.0.0.1', hostPort: port, guestPort: 80 }];
    const vm = testVm({
      binary: 'qemu-system-none',
      memoryMiB: 2 ** 30,
      kernel: { image: join(folder, 'vmlinux'), initrd: 'initrd.gz', append: '' },
      disks: [disk(join(folder, 'none.img'))],
      interfaces: [
        { type: 'user', forwards },
        { type: 'tap', device: 'vmpnone0' },
        { type: 'tap', device: '../lo' },
      ],
    });
    const error = await prove(vm).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_VMPULSE_START_IMPOSSIBLE' });
    const { message } = error as Error;
    for (const part of [
      'program qemu-system-none not found',
      'vmlinux',
      'initrd: initrd.gz is not an absolute path',
      'disk root: ENOENT',
      `cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
      'no TAP device vmpnone0',
      'no TAP device ../lo',
      `memory: ${2 ** 30 + 64 + 512} MiB needed`,
    ]) {
      expect(message).toContain(part);
    }
  });

  it('refuses socket paths that the kernel would cut', async () => {
    const folder = testFolder();
    const { prove } = prover(folder);
    const error = prove(testVm(), undefined, join(folder, 'x'.repeat(100)));
    await expect(error).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringMatching(/qmp\.sock has \d+ bytes, 107 are possible/),
    });
  });

  it('refuses a file that is a folder, and one disk given twice', async () => {
    const folder = testFolder();
    const path = join(folder, 'disk.img');
    writeFileSync(path, '');
    linkSync(path, join(folder, 'link.img'));
    const { prove } = prover(folder);
    await expect(prove(testVm({ disks: [disk(folder)] }))).rejects.toThrow(
      'neither a file nor a block device',
    );
    await expect(prove(testVm({ disks: [disk(path), disk(join(folder, 'link.img'))] }))).rejects.toThrow(
      'given twice',
    );
  });

  it('refuses a disk that another process has open, under whatever name', async () => {
    const folder = testFolder();
    const path = join(folder, 'disk.img');
    writeFileSync(path, '');
    linkSync(path, join(folder, 'link.img'));
    const { prove } = prover(folder);
    const open = (mode: string) =>
      `require('fs').openSync(${JSON.stringify(join(folder, 'link.img'))}, '${mode}')`;
    const reader = await standIn([], open('r'));
    await expect(prove(testVm({ disks: [disk(path)] }))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_DISK_IN_USE',
      message: expect.stringContaining(`${path} is held open by process ${reader.pid}`),
    });
    // Two may read; a reader with a writer beside it may not.
    await prove(testVm({ disks: [disk(path, true)] }));
    await standIn([], open('r+'));
    await expect(prove(testVm({ disks: [disk(path, true)] }))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_DISK_IN_USE',
    });
  });

  it('counts what the VMM holds that will be replaced as free', async () => {
    const folder = testFolder();
    const path = join(folder, 'disk.img');
    writeFileSync(path, '');
    const { prove } = prover(folder);
    const forward = { hostAddress: '127.0.0.1', hostPort: await listener(), guestPort: 80 };
    const vm = testVm({ disks: [disk(path)], interfaces: [{ type: 'user', forwards: [forward] }] });
    const old = await standIn([], `require('fs').openSync(${JSON.stringify(path)}, 'r+')`);
    await expect(prove(vm)).rejects.toThrow('EADDRINUSE');
    await prove(vm, foundVmm(old, ['qemu', '-netdev', `user,id=n,${forwardArg(forward)}`]));
    await expect(prove(vm, foundVmm(old))).rejects.toThrow('EADDRINUSE');
  });
});

describe('the accelerator', () => {
  it('is KVM only where the canary lives', async () => {
    const folder = testFolder();
    await expect(prover(folder).prove(testVm({ accel: 'kvm' }))).resolves.toMatchObject({
      accelerator: 'kvm',
    });
    await expect(prover(folder, KVM_BROKEN).prove(testVm({ accel: 'kvm' }))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_START_IMPOSSIBLE',
      message: expect.stringContaining('the canary guest says: stuck, the vCPU hangs'),
    });
    await expect(prover(folder, KVM_BROKEN).prove(testVm({ accel: 'tcg' }))).resolves.toMatchObject({
      accelerator: 'tcg',
    });
  });

  it('falls back to TCG for a VM that has never run on KVM, and never for one that has', async () => {
    const { prove, accelerators } = prover(testFolder(), KVM_BROKEN);
    const vm = testVm({ accel: 'auto' });
    await expect(prove(vm)).resolves.toMatchObject({ accelerator: 'tcg' });
    await accelerators.remember(vm, 'tcg');
    await expect(prove(vm)).resolves.toMatchObject({ accelerator: 'tcg' });
    await accelerators.remember(vm, 'kvm');
    await expect(prove(vm)).rejects.toThrow('ran on KVM and does not fall back to TCG');
    await expect(prove({ ...vm, hypervisor: { ...vm.hypervisor, accel: 'tcg' } })).resolves.toMatchObject({
      accelerator: 'tcg',
    });
  });
});
