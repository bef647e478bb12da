import { given } from '../../model/given.js';
import type { DiskSpec } from '../../model/hypervisor.js';
import { childOf, parseXml, type XmlElement } from './xml.js';

/** What a start of a domain that libvirt keeps needs of the host, read from its XML. */
export interface DomainDescription {
  readonly emulator?: string;
  /** With what was added since it began. */
  readonly memoryMiB: number;
  /** Unset: it has no room for more. */
  readonly maxMemoryMiB?: number;
  readonly disks: readonly DiskSpec[];
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
};
const MAX_DISKS = 256;

/** Throws ERR_VMPULSE_CHANNEL for what is no XML. */
export function describeDomain(xml: string): DomainDescription {
  const domain = parseXml(xml);
  const maxMemory = childOf(domain, 'maxMemory');
  const devices = childOf(domain, 'devices');
  const emulator = childOf(devices, 'emulator')?.text;
  const disks = devices?.children.filter(({ name }) => name === 'disk') ?? [];
  return {
    ...given({ emulator }),
    memoryMiB: mibOf(childOf(domain, 'memory')),
    ...(maxMemory === undefined ? {} : { maxMemoryMiB: mibOf(maxMemory) }),
    disks: disks.slice(0, MAX_DISKS).flatMap(diskOf),
  };
}

function mibOf(amount: XmlElement | undefined): number {
  const factor = UNITS[amount?.attributes.get('unit') ?? 'KiB'] ?? 1024;
  return Math.ceil((Number(amount?.text ?? 0) * factor) / 1024 ** 2);
}

/** Files and block devices of this host; what lies in a pool, on a network or is an empty drive is libvirt's to judge. */
function diskOf(disk: XmlElement): DiskSpec[] {
  const source = childOf(disk, 'source')?.attributes;
  const path = source?.get('file') ?? source?.get('dev');
  if (path === undefined) return [];
  const isQcow2 = childOf(disk, 'driver')?.attributes.get('type') === 'qcow2';
  const name = childOf(disk, 'target')?.attributes.get('dev') ?? 'disk';
  // Whoever marks a disk as shared answers for what is written to it.
  const readOnly = ['readonly', 'shareable'].some((mark) => childOf(disk, mark) !== undefined);
  return [{ name, path, format: isQcow2 ? 'qcow2' : 'raw', readOnly }];
}
