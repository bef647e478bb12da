import type { DiskSpec, NetworkInterface } from '../../model/hypervisor.js';
import { derivedMac } from '../vmm/derived-mac.js';
import { MEMORY_SLOTS } from '../vmm/memory-change.js';
import { agentsOf, type QemuPaths, type QemuVm } from './qemu-vm.js';

export type Accelerator = 'kvm' | 'tcg';

/** What the host decides about a start. */
export interface HostChoices {
  readonly accelerator: Accelerator;
  /** Those of the disks' paths that are block devices. */
  readonly blockDevices: ReadonlySet<string>;
}

/** Size of TCG's cache of translated code: QEMU's own default is 1 GiB whatever the guest's size. */
export function tcgCacheMiB(memoryMiB: number): number {
  return Math.min(512, Math.max(32, Math.floor(memoryMiB / 4)));
}

/** QEMU's argument list for a VM, without the program. */
export function commandLine(
  vm: QemuVm,
  paths: QemuPaths,
  { accelerator, blockDevices }: HostChoices,
): string[] {
  const qemu = vm.hypervisor;
  const accel = accelerator === 'kvm' ? 'kvm' : `tcg,tb-size=${tcgCacheMiB(qemu.memoryMiB)}`;
  return [
    ...['-name', `guest=${optionValue(vm.id)},debug-threads=on`, '-uuid', vm.uuid],
    ...[
      '-machine',
      qemu.machine,
      '-accel',
      accel,
      '-cpu',
      qemu.cpu ?? (accelerator === 'kvm' ? 'host' : 'max'),
    ],
    ...['-m', memoryArg(vm), '-smp', String(qemu.vcpus)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-msg', 'timestamp=on'],
    // Logged whether somebody is connected or not, and appending, so that the file can be cut while QEMU writes.
    ...[
      '-chardev',
      `socket,id=console,path=${optionValue(paths.consoleSocket)},server=on,wait=off,logfile=${optionValue(paths.consoleLog)},logappend=on`,
      '-serial',
      'chardev:console',
    ],
    ...[
      '-chardev',
      `socket,id=monitor,path=${optionValue(paths.monitorSocket)},server=on,wait=off`,
      '-mon',
      'chardev=monitor,mode=control',
    ],
    ...kernelArgs(vm),
    ...qemu.disks.flatMap((disk, index) => diskArgs(disk, index, blockDevices.has(disk.path))),
    ...qemu.interfaces.flatMap((network, index) => networkArgs(network, index, vm.uuid)),
    ...agentArgs(vm, paths),
    ...(qemu.pvpanic ? ['-device', 'pvpanic-pci'] : []),
    // A guest that panicked stays as it is until the evidence is saved.
    ...['-action', 'panic=pause'],
    ...watchdogArgs(vm),
    ...qemu.extraArgs,
  ];
}

function memoryArg({ hypervisor: { memoryMiB, maxMemoryMiB } }: QemuVm): string {
  const room = maxMemoryMiB === undefined ? '' : `,slots=${MEMORY_SLOTS},maxmem=${maxMemoryMiB}M`;
  return `${memoryMiB}M${room}`;
}

function kernelArgs({ hypervisor: { kernel } }: QemuVm): string[] {
  if (kernel === undefined) return [];
  const initrd = kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd];
  return ['-kernel', kernel.image, ...initrd, ...(kernel.append === '' ? [] : ['-append', kernel.append])];
}

function diskArgs(disk: DiskSpec, index: number, isBlockDevice: boolean): string[] {
  const file = {
    driver: isBlockDevice ? 'host_device' : 'file',
    filename: disk.path,
    'node-name': `file${index}`,
    // QEMU's own lock on the image: the last defence against two writers.
    locking: 'on',
    'read-only': disk.readOnly,
  };
  const format = {
    driver: disk.format,
    file: file['node-name'],
    'node-name': `disk${index}`,
    'read-only': disk.readOnly,
  };
  const device = `virtio-blk-pci,drive=disk${index},id=blk${index},bootindex=${index + 1}`;
  return ['-blockdev', JSON.stringify(file), '-blockdev', JSON.stringify(format), '-device', device];
}

function networkArgs(network: NetworkInterface, index: number, uuid: string): string[] {
  const device = `virtio-net-pci,netdev=net${index},romfile=`;
  if (network.type === 'tap') {
    const netdev = `tap,id=net${index},ifname=${optionValue(network.device)},script=no,downscript=no,vhost=off`;
    // QEMU gives every VM the same address unless told otherwise.
    return ['-netdev', netdev, '-device', `${device},mac=${network.mac ?? derivedMac(uuid, index)}`];
  }
  // restrict: the guest reaches neither the host nor what lies behind it; only the forwarded ports lead in.
  const forwards = network.forwards.map((to) => `,${forwardArg(to)}`);
  return ['-netdev', `user,id=net${index},restrict=on${forwards.join('')}`, '-device', device];
}

/** One forwarded port as QEMU writes it; also recognises it in the command line of a running VMM. */
export function forwardArg(forward: { hostAddress: string; hostPort: number; guestPort: number }): string {
  return `hostfwd=tcp:${forward.hostAddress}:${forward.hostPort}-:${forward.guestPort}`;
}

function agentArgs(vm: QemuVm, paths: QemuPaths): string[] {
  const { qemu, vmpulse } = agentsOf(vm);
  if (!qemu && !vmpulse) return [];
  return [
    ...['-device', 'virtio-serial-pci'],
    ...(qemu ? portArgs('agent', paths.agentSocket, 'org.qemu.guest_agent.0') : []),
    ...(vmpulse ? portArgs('vmpulse-agent', paths.vmpulseAgentSocket, 'org.vmpulse.agent.0') : []),
  ];
}

function portArgs(id: string, path: string, name: string): string[] {
  return [
    ...['-chardev', `socket,id=${id},path=${optionValue(path)},server=on,wait=off`],
    ...['-device', `virtserialport,chardev=${id},name=${name}`],
  ];
}

function watchdogArgs({ hypervisor: { watchdog } }: QemuVm): string[] {
  if (watchdog === undefined) return [];
  // KubeVirt's names of the actions are QEMU's.
  return ['-device', `${watchdog.model},id=watchdog`, '-action', `watchdog=${watchdog.action}`];
}

/** In QEMU's option lists a comma is written twice. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/** What an existing command line says about the end of a guest: ours, or that of a VMM which somebody else started. */
export function endingsOf(argv: readonly string[]): {
  readonly rebootEndsVmm: boolean;
  readonly shutdownPauses: boolean;
} {
  const actions = argv.flatMap((arg, i) => (/^--?action$/.test(argv[i - 1] ?? '') ? arg.split(',') : []));
  return {
    rebootEndsVmm: argv.some((arg) => /^--?no-reboot$/.test(arg)) || actions.includes('reboot=shutdown'),
    shutdownPauses: argv.some((arg) => /^--?no-shutdown$/.test(arg)) || actions.includes('shutdown=pause'),
  };
}
