import { describe, expect, it } from 'vitest';
import { commandLine, endingsOf, type HostChoices } from '../../../src/hypervisors/qemu/command-line.js';
import type { QemuVm } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { qemuPaths } from '../../../src/hypervisors/qemu/qemu-vm.js';
import { testVm, UUID } from './fixtures.js';

const TCG: HostChoices = { accelerator: 'tcg', blockDevices: new Set() };

function line(vm: QemuVm, choices = TCG): string[] {
  return commandLine(vm, qemuPaths('/run/v', vm), choices);
}

/** Values of an option that may come several times. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((arg, i) => (args[i - 1] === option ? [arg] : []));
}

describe('the command line of QEMU', () => {
  it('names the VM, its machine and its sockets', () => {
    const args = line(testVm({ vcpus: 2 }));
    expect(valuesOf(args, '-name')).toEqual(['guest=default/web-1,debug-threads=on']);
    expect(valuesOf(args, '-uuid')).toEqual([UUID]);
    expect(valuesOf(args, '-machine')).toEqual(['q35']);
    expect(valuesOf(args, '-m')).toEqual(['128M']);
    expect(valuesOf(args, '-smp')).toEqual(['2']);
    expect(valuesOf(args, '-chardev')).toEqual([
      'socket,id=console,path=/run/v/vms/default/web-1/tty.sock,server=on,wait=off,logfile=/run/v/vms/default/web-1/console.log,logappend=on',
      'socket,id=monitor,path=/run/v/vms/default/web-1/qmp.sock,server=on,wait=off',
      'socket,id=agent,path=/run/v/vms/default/web-1/qga.sock,server=on,wait=off',
    ]);
    expect(args).toContain('pvpanic-pci');
    expect(valuesOf(args, '-action')).toEqual(['panic=pause']);
  });

  it('leaves out what the VM does not have', () => {
    const args = line(testVm({ guestAgent: false, pvpanic: false }));
    expect(args.join(' ')).not.toMatch(/pvpanic|virtserialport|-kernel|-netdev|-blockdev|watchdog/);
  });

  it('takes the accelerator that the host chose, with a CPU that fits', () => {
    expect(valuesOf(line(testVm()), '-accel')).toEqual(['tcg,tb-size=32']);
    expect(valuesOf(line(testVm({ memoryMiB: 1024 })), '-accel')).toEqual(['tcg,tb-size=256']);
    expect(valuesOf(line(testVm()), '-cpu')).toEqual(['max']);
    const kvm: HostChoices = { ...TCG, accelerator: 'kvm' };
    expect(valuesOf(line(testVm(), kvm), '-accel')).toEqual(['kvm']);
    expect(valuesOf(line(testVm(), kvm), '-cpu')).toEqual(['host']);
    expect(valuesOf(line(testVm({ cpu: 'Nehalem' }), kvm), '-cpu')).toEqual(['Nehalem']);
  });

  it('opens disks with locking, block devices as such', () => {
    const disks = [
      { name: 'root', path: '/d/a,b.qcow2', format: 'qcow2' as const, readOnly: false },
      { name: 'data', path: '/dev/vg/data', format: 'raw' as const, readOnly: true },
    ];
    const args = line(testVm({ disks }), { ...TCG, blockDevices: new Set(['/dev/vg/data']) });
    const nodes: unknown[] = valuesOf(args, '-blockdev').map((text) => JSON.parse(text));
    expect(nodes).toEqual([
      { driver: 'file', filename: '/d/a,b.qcow2', 'node-name': 'file0', locking: 'on', 'read-only': false },
      { driver: 'qcow2', file: 'file0', 'node-name': 'disk0', 'read-only': false },
      {
        driver: 'host_device',
        filename: '/dev/vg/data',
        'node-name': 'file1',
        locking: 'on',
        'read-only': true,
      },
      { driver: 'raw', file: 'file1', 'node-name': 'disk1', 'read-only': true },
    ]);
    expect(args).toContain('virtio-blk-pci,drive=disk1,id=blk1,bootindex=2');
  });

  it('forwards ports of a restricted user network', () => {
    const forwards = [
      { hostAddress: '127.0.0.1', hostPort: 8001, guestPort: 80 },
      { hostAddress: '127.0.0.2', hostPort: 2201, guestPort: 22 },
    ];
    expect(valuesOf(line(testVm({ interfaces: [{ type: 'user', forwards }] })), '-netdev')).toEqual([
      'user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:8001-:80,hostfwd=tcp:127.0.0.2:2201-:22',
    ]);
  });

  it('gives each TAP interface an address that is its own and stays', () => {
    const interfaces = [
      { type: 'tap' as const, device: 'tap0' },
      { type: 'tap' as const, device: 'tap1', mac: '52:54:00:00:00:09' },
      { type: 'tap' as const, device: 'tap2' },
    ];
    const macs = (vm: QemuVm) =>
      [
        ...line(vm)
          .join(' ')
          .matchAll(/mac=(\S+)/g),
      ].map(([, mac]) => mac);
    const vm = testVm({ interfaces });
    const [first, second, third] = macs(vm);
    expect(second).toBe('52:54:00:00:00:09');
    expect(first).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
    expect(third).not.toBe(first);
    expect(macs(vm)).toEqual([first, second, third]);
    expect(macs({ ...vm, uuid: '11111111-b3ef-428c-8861-06e72d69f223' })[0]).not.toBe(first);
  });

  it.each([
    'poweroff',
    'reset',
    'shutdown',
    'pause',
  ] as const)('hands on the watchdog action %s', (action) => {
    const args = line(testVm({ watchdog: { name: 'my_dog', model: 'i6300esb', action } }));
    expect(args).toContain('i6300esb,id=watchdog');
    expect(valuesOf(args, '-action')).toEqual(['panic=pause', `watchdog=${action}`]);
  });

  it('boots a kernel directly and appends further arguments last', () => {
    const kernel = { image: '/b/vmlinux', initrd: '/b/initrd', append: 'console=ttyS0 panic=0' };
    const args = line(testVm({ kernel, extraArgs: ['-no-reboot'] }));
    expect(valuesOf(args, '-kernel')).toEqual(['/b/vmlinux']);
    expect(valuesOf(args, '-initrd')).toEqual(['/b/initrd']);
    expect(valuesOf(args, '-append')).toEqual(['console=ttyS0 panic=0']);
    expect(args.at(-1)).toBe('-no-reboot');
  });

  it('writes commas twice where QEMU reads a list', () => {
    const vm = testVm();
    expect(commandLine(vm, qemuPaths('/run/a,b', vm), TCG).join(' ')).toContain('path=/run/a,,b/vms/default');
  });
});

describe('what a command line says about the end of a guest', () => {
  it.each([
    [['qemu', '-no-reboot'], true, false],
    [['qemu', '--no-shutdown'], false, true],
    [['qemu', '-action', 'reboot=shutdown,shutdown=pause'], true, true],
    [['qemu', '-action', 'panic=pause', '-append', 'reboot=shutdown'], false, false],
  ])('%j', (argv, rebootEndsVmm, shutdownPauses) => {
    expect(endingsOf(argv)).toEqual({ rebootEndsVmm, shutdownPauses });
  });
});
