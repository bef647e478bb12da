import type { FoundVm } from './found-vm.js';
import { NOTHING_KNOWN } from './found-vm.js';

/** What virsh is asked: only to list, read-only. */
export const LIST_DOMAINS = [
  'virsh',
  '--readonly',
  '--quiet',
  '--connect',
  'qemu:///system',
  'list',
  '--all',
  '--uuid',
  '--name',
];

export interface Domain {
  readonly uuid: string;
  readonly name: string;
}

/** A line a domain: UUID and name, which may have spaces. */
export function parseDomains(text: string): Domain[] {
  return text.split('\n').flatMap((line) => {
    const [, uuid, name] = /^\s*([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+(.+?)\s*$/i.exec(line) ?? [];
    return uuid === undefined || name === undefined ? [] : [{ uuid: uuid.toLowerCase(), name }];
  });
}

/** Domains and processes as one list: libvirt owns its QEMUs, so one that is both stands there once, as libvirt's. */
export function mergeDomains(found: readonly FoundVm[], domains: readonly Domain[]): FoundVm[] {
  const byUuid = new Map(domains.map((domain) => [domain.uuid, domain]));
  const running = new Set(found.flatMap(({ uuid }) => uuid ?? []));
  const processes = found.map((vm): FoundVm => {
    const domain = vm.uuid === undefined ? undefined : byUuid.get(vm.uuid);
    if (domain === undefined) return vm;
    return { ...vm, name: domain.name, owner: { kind: 'libvirt', domain: domain.name } };
  });
  const others = domains
    .filter(({ uuid }) => !running.has(uuid))
    .map(
      ({ uuid, name }): FoundVm => ({
        ...NOTHING_KNOWN,
        vmm: 'qemu',
        marks: [{ option: '-uuid', value: uuid }],
        present: [],
        uuid,
        name,
        owner: { kind: 'libvirt', domain: name },
      }),
    );
  return [...processes, ...others];
}
