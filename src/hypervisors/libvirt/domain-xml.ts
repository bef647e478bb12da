import type { DiskSpec, NetworkInterface } from '../../model/hypervisor.js';
import type { Accelerator } from '../qemu/command-line.js';
import { derivedMac } from '../vmm/derived-mac.js';
import { MEMORY_SLOTS } from '../vmm/memory-change.js';
import { domainName, type LibvirtPaths, type LibvirtVm } from './libvirt-vm.js';
import { escapeXml } from './xml.js';

/** What the host decides about a start. */
export interface DomainChoices {
  /** Absolute path of the emulator. */
  readonly program: string;
  readonly accelerator: Accelerator;
  /** Those of the disks' paths that are block devices. */
  readonly blockDevices: ReadonlySet<string>;
  /** What those of the disks are laid over that vmpulse made, by their paths. */
  readonly images: ReadonlyMap<string, string>;
}

/** A letter a disk: vda, vdb, … vdz, vdaa. */
const LETTERS = 26;

/**
 * The domain of a VM, which libvirt forgets when it ends: the document stays the only definition. A guest that panicked is
 * kept as it is until the evidence is saved.
 */
export function domainXml(vm: LibvirtVm, paths: LibvirtPaths, choices: DomainChoices): string {
  const { architecture, machine, memoryMiB, vcpus, extraArgs } = vm.hypervisor;
  const { accelerator, program } = choices;
  const namespace = 'xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"';
  return [
    `<domain type="${accelerator === 'kvm' ? 'kvm' : 'qemu'}" ${namespace}>`,
    `<name>${escapeXml(domainName(vm))}</name><uuid>${vm.uuid}</uuid>`,
    `<description>made by vmpulse for ${escapeXml(vm.id)}</description>`,
    `${maxMemoryXml(vm)}<memory unit="MiB">${memoryMiB}</memory><vcpu>${vcpus}</vcpu>`,
    `<os><type arch="${architecture}" machine="${escapeXml(machine)}">hvm</type>${kernelXml(vm)}</os>`,
    `<features>${architecture === 's390x' ? '' : '<acpi/>'}${architecture === 'x86_64' ? '<apic/>' : ''}</features>`,
    cpuXml(vm, accelerator),
    '<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>preserve</on_crash>',
    '<devices>',
    `<emulator>${escapeXml(program)}</emulator>`,
    ...vm.hypervisor.disks.map((disk, index) => diskXml(disk, index, choices)),
    ...vm.hypervisor.interfaces.map((network, index) => interfaceXml(network, index, vm.uuid)),
    serialXml(paths),
    ...deviceXml(vm),
    '</devices>',
    extraArgs.length === 0 ? '' : commandLineXml(extraArgs),
    '</domain>',
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function kernelXml({ hypervisor: { kernel } }: LibvirtVm): string {
  if (kernel === undefined) return '';
  const { image, initrd, append } = kernel;
  const initrdXml = initrd === undefined ? '' : `<initrd>${escapeXml(initrd)}</initrd>`;
  const appendXml = append === '' ? '' : `<cmdline>${escapeXml(append)}</cmdline>`;
  return `<kernel>${escapeXml(image)}</kernel>${initrdXml}${appendXml}`;
}

/** Room for memory that is added while it runs. */
function maxMemoryXml({ hypervisor: { maxMemoryMiB } }: LibvirtVm): string {
  if (maxMemoryMiB === undefined) return '';
  return `<maxMemory slots="${MEMORY_SLOTS}" unit="MiB">${maxMemoryMiB}</maxMemory>`;
}

function cpuXml(vm: LibvirtVm, accelerator: Accelerator): string {
  const model = vm.hypervisor.cpu ?? (accelerator === 'kvm' ? 'host' : 'max');
  const numa = numaXml(vm);
  if (model === 'host') return `<cpu mode="host-passthrough">${numa}</cpu>`;
  if (model === 'max') return `<cpu mode="maximum">${numa}</cpu>`;
  const name = `<model fallback="forbid">${escapeXml(model)}</model>`;
  return `<cpu mode="custom" match="exact" check="none">${name}${numa}</cpu>`;
}

/** libvirt adds memory to cells alone. */
function numaXml({ hypervisor: { maxMemoryMiB, memoryMiB, vcpus } }: LibvirtVm): string {
  if (maxMemoryMiB === undefined) return '';
  return `<numa><cell id="0" cpus="0-${vcpus - 1}" memory="${memoryMiB}" unit="MiB"/></numa>`;
}

function diskXml(
  { path, format, readOnly }: DiskSpec,
  index: number,
  { blockDevices, images }: DomainChoices,
): string {
  const isBlockDevice = blockDevices.has(path);
  const source = isBlockDevice ? `dev="${escapeXml(path)}"` : `file="${escapeXml(path)}"`;
  return [
    `<disk type="${isBlockDevice ? 'block' : 'file'}" device="disk">`,
    `<driver name="qemu" type="${format}"/><source ${source}/>${imageXml(images.get(path))}`,
    `<target dev="vd${letters(index)}" bus="virtio"/><boot order="${index + 1}"/>`,
    `${readOnly ? '<readonly/>' : ''}</disk>`,
  ].join('');
}

/** Many disks are laid over it: were it given to a QEMU's user as its disk is, that QEMU could write it for all of them. */
function imageXml(image: string | undefined): string {
  if (image === undefined) return '';
  const format = image.endsWith('.qcow2') ? 'qcow2' : 'raw';
  const source = `<source file="${escapeXml(image)}"><seclabel model="dac" relabel="no"/></source>`;
  return `<backingStore type="file"><format type="${format}"/>${source}<backingStore/></backingStore>`;
}

function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % LETTERS));
  return index < LETTERS ? last : `${letters(Math.floor(index / LETTERS) - 1)}${last}`;
}

/** The device is made before by others, or by vmpulse itself; libvirt only opens it. */
function interfaceXml(network: NetworkInterface, index: number, uuid: string): string {
  if (network.type !== 'tap') return '';
  const mac = network.mac ?? derivedMac(uuid, index);
  const target = `<target dev="${escapeXml(network.device)}" managed="no"/>`;
  return `<interface type="ethernet"><mac address="${mac}"/>${target}<model type="virtio"/></interface>`;
}

/** A socket for one client, and a log whether somebody is connected or not. */
function serialXml({ consoleSocket, consoleLog }: LibvirtPaths): string {
  const source = `<source mode="bind" path="${escapeXml(consoleSocket)}"/>`;
  return `<serial type="unix">${source}<log file="${escapeXml(consoleLog)}" append="on"/><target port="0"/></serial>`;
}

function deviceXml({ hypervisor: { guestAgent, pvpanic, watchdog, architecture } }: LibvirtVm): string[] {
  const agent = '<target type="virtio" name="org.qemu.guest_agent.0"/>';
  return [
    ...(guestAgent ? [`<channel type="unix">${agent}</channel>`] : []),
    ...(pvpanic && architecture === 'x86_64' ? ['<panic model="isa"/>'] : []),
    ...(watchdog === undefined ? [] : [`<watchdog model="${watchdog.model}" action="${watchdog.action}"/>`]),
    ...(architecture === 's390x' ? [] : ['<controller type="usb" model="none"/>']),
    '<memballoon model="none"/>',
  ];
}

function commandLineXml(args: readonly string[]): string {
  const list = args.map((arg) => `<qemu:arg value="${escapeXml(arg)}"/>`).join('');
  return `<qemu:commandline>${list}</qemu:commandline>`;
}
