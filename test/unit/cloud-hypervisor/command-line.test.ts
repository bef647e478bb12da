import { describe, expect, it } from 'vitest';
import { cloudHypervisorPaths } from '../../../src/hypervisors/cloud-hypervisor/cloud-hypervisor-vm.js';
import { commandLine } from '../../../src/hypervisors/cloud-hypervisor/command-line.js';
import type { CloudHypervisorSpec } from '../../../src/model/hypervisors/cloud-hypervisor.js';
import { testVm, UUID } from '../qemu/fixtures.js';

const NEW = { pvpanic: true, uuidKey: 'system_uuid', imageType: true } as const;
const OLD = { pvpanic: false, uuidKey: 'uuid', imageType: false } as const;

function line(changes: Partial<CloudHypervisorSpec>, can: typeof NEW | typeof OLD = NEW): string {
  const hypervisor: CloudHypervisorSpec = {
    driver: 'cloud-hypervisor',
    binary: 'cloud-hypervisor',
    memoryMiB: 512,
    vcpus: 2,
    disks: [],
    interfaces: [],
    guestAgent: false,
    watchdog: false,
    pvpanic: true,
    extraArgs: [],
    ...changes,
  };
  const vm = { ...testVm(), hypervisor };
  const plan = { program: '/bin/ch', diskKeys: [], blockDevices: new Set<string>(), account: undefined, can };
  return commandLine(vm, cloudHypervisorPaths('/run', vm), plan).join(' ');
}

describe('the command line of Cloud Hypervisor', () => {
  it('has the VM, its sockets and its console', () => {
    expect(line({ kernel: { image: '/k', initrd: '/i', append: 'console=ttyS0 quiet' } })).toBe(
      [
        '--api-socket path=/run/vms/default/web-1/ch.sock',
        '--event-monitor path=/run/vms/default/web-1/events.fifo',
        `--platform system_uuid=${UUID}`,
        '--cpus boot=2 --memory size=512M',
        '--console off --serial file=/run/vms/default/web-1/console.log',
        '--kernel /k --initramfs /i --cmdline console=ttyS0 quiet',
        '--pvpanic',
      ].join(' '),
    );
  });

  it('has disks, each with its format where that can be said, and quotes what has a comma', () => {
    const disks = [
      { name: 'a', path: '/a,b.img', format: 'raw', readOnly: false },
      { name: 'c', path: '/c.qcow2', format: 'qcow2', readOnly: true },
    ] as const;
    expect(line({ disks })).toContain(
      '--disk path="/a,b.img",readonly=off,id=disk0,image_type=raw path=/c.qcow2,readonly=on,id=disk1,image_type=qcow2',
    );
    expect(line({ disks }, OLD)).toMatch(/path=\/c\.qcow2,readonly=on,id=disk1$/);
  });

  it('leaves out what the program has not', () => {
    const old = line({ firmware: '/fw' }, OLD);
    expect(old).toContain(`--platform uuid=${UUID}`);
    expect(old).toContain('--firmware /fw');
    expect(old).not.toContain('--pvpanic');
  });

  it('has network, vsock, watchdog and what the user adds last', () => {
    const text = line({
      interfaces: [{ type: 'tap', device: 'tap0' }],
      vsockCid: 7,
      watchdog: true,
      extraArgs: ['--landlock'],
    });
    expect(text).toMatch(/--net tap=tap0,mac=52:54:00(:[0-9a-f]{2}){3},id=net0 /);
    expect(text).toContain('--vsock cid=7,socket=/run/vms/default/web-1/vsock.sock --watchdog');
    expect(text).toMatch(/--pvpanic --landlock$/);
  });
});
