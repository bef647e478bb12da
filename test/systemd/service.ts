import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { HostView, VmView } from '../../src/runtime/views.js';
import { poll } from '../lab/poll.js';
import { tinyFirmware } from '../lab/tiny-guest.js';
import type { SystemdMachine } from './machine.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIRMWARE = '/var/lib/images/idle.bin';
export const SERVICE = 'vmpulse.service';
export const MINUTE = 60_000;

/** Installs the built tree and its units, as a package would. */
export function installTree(machine: SystemdMachine): void {
  machine.write(
    '/usr/bin/vmpulse',
    `#!/bin/sh\nexec ${process.execPath} ${ROOT}dist/cli/main.js "$@"\n`,
    '0755',
  );
  const unit = readFileSync(`${ROOT}packaging/systemd/${SERVICE}`, 'utf8');
  machine.write(`/etc/systemd/system/${SERVICE}`, unit);
  machine.run('systemctl', 'daemon-reload');
}

/** A configuration with recovery switched on, and what the VMs' own documents say of their QEMU; `spec`: what they say besides. */
export function writeVms(
  machine: SystemdMachine,
  vms: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  config: Readonly<Record<string, unknown>> = {},
): void {
  machine.write(FIRMWARE, tinyFirmware('idle', 5));
  machine.write(
    '/etc/vmpulse/config.yaml',
    stringify({ manifests: ['vms.d'], recovery: { enabled: true }, ...config }),
  );
  for (const [name, { spec, ...qemu }] of Object.entries(vms)) {
    const metadata = { name };
    const documents = [
      {
        apiVersion: 'kubevirt.io/v1',
        kind: 'VirtualMachine',
        metadata,
        spec: { runStrategy: 'Always', template: { spec: {} } },
      },
      {
        apiVersion: 'vmpulse.dev/v1',
        kind: 'VirtualMachineHost',
        metadata,
        spec: {
          hypervisor: {
            qemu: {
              accel: 'tcg',
              machine: 'pc,smm=off,hpet=off',
              cpu: 'qemu64,-apic',
              memory: '32Mi',
              guestAgent: false,
              pvpanic: false,
              ...qemu,
              extraArgs: ['-bios', FIRMWARE, ...((qemu.extraArgs as string[] | undefined) ?? [])],
            },
          },
          probes: [{ name: 'process', vmmProcess: {}, periodMs: 500, timeoutMs: 400, failureThreshold: 1 }],
          ...(spec as Readonly<Record<string, unknown>> | undefined),
        },
      },
    ];
    machine.write(
      `/etc/vmpulse/vms.d/${name}.yaml`,
      documents.map((document) => stringify(document)).join('---\n'),
    );
  }
}

export function status(machine: SystemdMachine): HostView {
  return JSON.parse(machine.run('vmpulse', 'status', '--json'));
}

/** One VM in status, by its name. */
export function vmOf({ vms }: HostView, name: string): VmView {
  const vm = vms.find(({ id }) => id === `default/${name}`);
  if (vm === undefined) throw new Error(`no VM ${name} in the status`);
  return vm;
}

/** Resolves with the VMs once so many are there and run. */
export function allRun(machine: SystemdMachine, count: number): Promise<readonly VmView[]> {
  return poll(`${count} VMs run`, 2 * MINUTE, () => {
    const { vms } = status(machine);
    return vms.length === count && vms.every(({ vmm }) => vmm !== null) ? vms : undefined;
  });
}

/** The control group of a process; systemd keeps it in version 2 in any case. */
export function groupOf(machine: SystemdMachine, pid: number): string {
  return /^0::(.*)$/m.exec(machine.read(`/proc/${pid}/cgroup`))?.[1] ?? '';
}
