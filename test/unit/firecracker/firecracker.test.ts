import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exitReason } from '../../../src/hypervisors/firecracker/exit-reason.js';
import { firecrackerPaths } from '../../../src/hypervisors/firecracker/firecracker-vm.js';
import { MetricsTotals } from '../../../src/hypervisors/firecracker/metrics.js';
import { vmConfig } from '../../../src/hypervisors/firecracker/vm-config.js';
import type { FirecrackerSpec } from '../../../src/model/hypervisors/firecracker.js';
import { testFolder } from '../../fixtures/folder.js';
import { testVm } from '../qemu/fixtures.js';

function config(changes: Partial<FirecrackerSpec>): Readonly<Record<string, unknown>> {
  const hypervisor: FirecrackerSpec = {
    driver: 'firecracker',
    binary: 'firecracker',
    memoryMiB: 256,
    vcpus: 2,
    disks: [],
    interfaces: [],
    guestAgent: false,
    extraArgs: [],
    ...changes,
  };
  const vm = { ...testVm(), hypervisor };
  return vmConfig(vm, firecrackerPaths('/run', vm));
}

describe('the configuration of a microVM', () => {
  const disk = { name: 'root', path: '/a.img', format: 'raw', readOnly: true } as const;

  it('has what the VM has', () => {
    const made = config({
      kernel: { image: '/k', append: 'reboot=k' },
      disks: [disk, { ...disk, path: '/b.img', readOnly: false }],
      interfaces: [{ type: 'tap', device: 'tap0', mac: '52:54:00:00:00:01' }],
      vsockCid: 9,
    });
    expect(made).toEqual({
      'boot-source': { kernel_image_path: '/k', boot_args: 'reboot=k' },
      drives: [
        { drive_id: 'disk0', path_on_host: '/a.img', is_read_only: true, is_root_device: true },
        { drive_id: 'disk1', path_on_host: '/b.img', is_read_only: false, is_root_device: false },
      ],
      'network-interfaces': [{ iface_id: 'net0', host_dev_name: 'tap0', guest_mac: '52:54:00:00:00:01' }],
      'machine-config': { vcpu_count: 2, mem_size_mib: 256 },
      vsock: { guest_cid: 9, uds_path: '/run/vms/default/web-1/vsock.sock' },
      metrics: { metrics_path: '/run/vms/default/web-1/metrics.json' },
    });
  });

  it.each([
    [{ image: '/k', append: 'root=/dev/vda2' }],
    [{ image: '/k', initrd: '/i', append: '' }],
  ])('leaves the root device to %o', (kernel) => {
    expect(config({ kernel, disks: [disk] })).toMatchObject({ drives: [{ is_root_device: false }] });
  });
});

describe('why Firecracker ended', () => {
  it.each([
    ['x Firecracker exiting successfully. exit_code=0\n', { guest: true, reason: 'guest-shutdown' }],
    [
      'x Firecracker exiting with error. exit_code=148\n',
      { guest: false, reason: 'host-error: exit code 148, forbidden system call' },
    ],
    [
      'x Firecracker exiting with error. exit_code=77\n',
      { guest: false, reason: 'host-error: exit code 77' },
    ],
  ])('%s', async (text, expected) => {
    const log = join(testFolder(), 'log');
    writeFileSync(log, `${'older lines\n'.repeat(2_000)}${text}`);
    expect(await exitReason(log)).toEqual({ type: 'shutdown', ...expected });
  });

  it('is not known of one that was killed, or whose log is gone', async () => {
    const log = join(testFolder(), 'log');
    expect(await exitReason(log)).toBeUndefined();
    writeFileSync(log, 'Running Firecracker\n');
    expect(await exitReason(log)).toBeUndefined();
  });
});

describe('the metrics of Firecracker', () => {
  const line = (disk: number, network: number) =>
    `${JSON.stringify({ block: { read_count: disk, write_count: 0, flush_count: 0 }, net: { tx_packets_count: network } })}\n`;
  const totals = (disk: number, network: number) => [
    { name: 'disks', value: disk },
    { name: 'network', value: network },
  ];

  it('are added up from the first reading on, whole lines only', async () => {
    const path = join(testFolder(), 'metrics');
    writeFileSync(path, line(100, 100));
    const metrics = new MetricsTotals(path);
    expect(await metrics.read()).toEqual(totals(0, 0));
    appendFileSync(path, line(2, 3) + line(4, 5) + line(1, 1).slice(0, 10));
    expect(await metrics.read()).toEqual(totals(6, 8));
    appendFileSync(path, line(1, 1).slice(10));
    expect(await metrics.read()).toEqual(totals(7, 9));
  });

  it('go on after the file was emptied, over the hole and over nonsense', async () => {
    const path = join(testFolder(), 'metrics');
    writeFileSync(path, line(1, 1));
    const metrics = new MetricsTotals(path);
    await metrics.read();
    truncateSync(path);
    await metrics.read();
    writeFileSync(path, `${'\0'.repeat(50)}${line(2, 2)}{"block": "no"}\nnonsense\n`);
    expect(await metrics.read()).toEqual(totals(2, 2));
  });
});
