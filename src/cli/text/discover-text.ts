import type { DiscoveredVm, FoundVm, Owner } from '../../discovery/index.js';
import { plainText } from '../../model/plain-text.js';
import type { Paint } from './paint.js';
import { type Cell, table } from './table.js';

/** Found VMs in a table, for a person. */
export function discoverText(vms: readonly DiscoveredVm[], paint: Paint): string {
  if (vms.length === 0) return 'no VMs run on this host\n';
  const rows = vms.map(({ name, vm, address }): (string | Cell)[] => [
    `default/${name}`,
    vm.vmm,
    vm.process === undefined ? '-' : String(vm.process.pid),
    { text: ownerText(vm.owner), paint: vm.owner.kind === 'vmpulse' ? paint.good : (text) => text },
    vm.memoryMiB === undefined ? '-' : `${vm.memoryMiB} MiB`,
    vm.vcpus === undefined ? '-' : String(vm.vcpus),
    address?.ip ?? '-',
    reachText(vm),
  ]);
  return table(['VM', 'VMM', 'PID', 'OWNER', 'MEMORY', 'VCPUS', 'ADDRESS', 'REACHED BY'], rows);
}

/** Who runs it, in a word or two. */
export function ownerText(owner: Owner): string {
  switch (owner.kind) {
    case 'vmpulse':
      return `vmpulse (${plainText(owner.vm)})`;
    case 'libvirt':
      return `libvirt (${plainText(owner.domain)})`;
    case 'proxmox':
      return `proxmox (${plainText(owner.id)})`;
    case 'container':
      return `container (${plainText(owner.scope)})`;
    case 'systemd':
      return `systemd (${plainText(owner.unit)})`;
    case 'user':
      return `uid ${owner.uid}`;
  }
}

function reachText({ monitors, api, agent, taps, forwards }: FoundVm): string {
  const ways = [
    ...(monitors.length > 0 ? ['QMP'] : []),
    ...(api === undefined ? [] : ['API']),
    ...(agent === undefined ? [] : ['agent']),
    ...taps.flatMap(({ device }) => device ?? []),
    ...forwards.map(({ hostPort, guestPort }) => `${hostPort}->${guestPort}`),
  ];
  return plainText(ways.join(', ')) || '-';
}
