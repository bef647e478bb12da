import type { DiskSpec, NetworkInterface } from '../../model/hypervisor.js';
import type { Accelerator } from '../qemu/command-line.js';
import { derivedMac } from '../vmm/derived-mac.js';
import { domainName, type LibvirtPaths, type LibvirtVm } from './libvirt-vm.js';

/** What the host decides about a start. */
export interface DomainChoices {
  /** Absolute path of the emulator. */
  readonly program: string;
  readonly accelerator: Accelerator;
  /** Those of the disks' paths that are block devices. */
  readonly blockDevices: ReadonlySet<string>;
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
    `<name>${escaped(domainName(vm))}</name><uuid>${vm.uuid}</uuid>`,
    `<description>made by vmpulse for ${escaped(vm.id)}</description>`,
    `<memory unit="MiB">${memoryMiB}</memory><vcpu>${vcpus}</vcpu>`,
    `<os><type arch="${architecture}" machine="${escaped(machine)}">hvm</type>${kernelXml(vm)}</os>`,
    `<features>${architecture === 's390x' ? '' : '<acpi/>'}${architecture === 'x86_64' ? '<apic/>' : ''}</features>`,
    cpuXml(vm, accelerator),
    '<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>preserve</on_crash>',
    '<devices>',
    `<emulator>${escaped(program)}</emulator>`,
    ...vm.hypervisor.disks.map((disk, index) => diskXml(disk, index, choices.blockDevices.has(disk.path))),
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
  const initrdXml = initrd === undefined ? '' : `<initrd>${escaped(initrd)}</initrd>`;
  const appendXml = append === '' ? '' : `<cmdline>${escaped(append)}</cmdline>`;
  return `<kernel>${escaped(image)}</kernel>${initrdXml}${appendXml}`;
}

function cpuXml({ hypervisor: { cpu } }: LibvirtVm, accelerator: Accelerator): string {
  const model = cpu ?? (accelerator === 'kvm' ? 'host' : 'max');
  if (model === 'host') return '<cpu mode="host-passthrough"/>';
  if (model === 'max') return '<cpu mode="maximum"/>';
  return `<cpu mode="custom" match="exact" check="none"><model fallback="forbid">${escaped(model)}</model></cpu>`;
}

function diskXml({ path, format, readOnly }: DiskSpec, index: number, isBlockDevice: boolean): string {
  const source = isBlockDevice ? `dev="${escaped(path)}"` : `file="${escaped(path)}"`;
  return [
    `<disk type="${isBlockDevice ? 'block' : 'file'}" device="disk">`,
    `<driver name="qemu" type="${format}"/><source ${source}/>`,
    `<target dev="vd${letters(index)}" bus="virtio"/><boot order="${index + 1}"/>`,
    `${readOnly ? '<readonly/>' : ''}</disk>`,
  ].join('');
}

function letters(index: number): string {
  const last = String.fromCharCode(97 + (index % LETTERS));
  return index < LETTERS ? last : `${letters(Math.floor(index / LETTERS) - 1)}${last}`;
}

/** The device is made before by others, or by vmpulse itself; libvirt only opens it. */
function interfaceXml(network: NetworkInterface, index: number, uuid: string): string {
  if (network.type !== 'tap') return '';
  const mac = network.mac ?? derivedMac(uuid, index);
  const target = `<target dev="${escaped(network.device)}" managed="no"/>`;
  return `<interface type="ethernet"><mac address="${mac}"/>${target}<model type="virtio"/></interface>`;
}

/** A socket for one client, and a log whether somebody is connected or not. */
function serialXml({ consoleSocket, consoleLog }: LibvirtPaths): string {
  const source = `<source mode="bind" path="${escaped(consoleSocket)}"/>`;
  return `<serial type="unix">${source}<log file="${escaped(consoleLog)}" append="on"/><target port="0"/></serial>`;
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
  const list = args.map((arg) => `<qemu:arg value="${escaped(arg)}"/>`).join('');
  return `<qemu:commandline>${list}</qemu:commandline>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Documents take no control characters but these, which an attribute would lose. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
    .replace(/[\t\n\r]/g, (char) => `&#${char.charCodeAt(0)};`);
}
