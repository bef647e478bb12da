import type { Deadline } from '../../model/deadline.js';
import type { MemoryChange } from '../../model/ports.js';
import { memoryToAdd } from '../vmm/memory-change.js';
import { describeDomain } from './domain-description.js';
import type { DomainRef } from './rpc/domain.js';
import type { Libvirt } from './rpc/libvirt.js';

/** Adds memory to a running domain as a DIMM, until it ends; a definition that libvirt keeps stays. Gives what it then has, MiB. */
export async function resizeMemory(
  name: string,
  libvirt: Libvirt,
  domain: DomainRef,
  change: MemoryChange,
  deadline: Deadline,
): Promise<number> {
  const { memoryMiB, maxMemoryMiB } = describeDomain(await libvirt.xml(domain, deadline));
  const byMiB = memoryToAdd({ name, nowMiB: memoryMiB, maxMiB: maxMemoryMiB }, change);
  if (byMiB === 0) return memoryMiB;
  const size = `<size unit="MiB">${byMiB}</size>`;
  const device = `<memory model="dimm"><target>${size}<node>0</node></target></memory>`;
  await libvirt.attachDevice(domain, device, deadline);
  return describeDomain(await libvirt.xml(domain, deadline)).memoryMiB;
}
