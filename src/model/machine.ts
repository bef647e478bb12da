import type { NetworkInterface } from './hypervisor.js';
import type { HypervisorSpec, VmSpec } from './vm.js';

/** What of a VM needs a new VMM to change. Plain JSON once it was stored. */
export type Machine = Readonly<Record<string, unknown>>;

export function machineOf({
  hypervisor,
  uuid,
  cloudInit,
}: Pick<VmSpec, 'hypervisor' | 'uuid' | 'cloudInit'>): Machine {
  const seed = cloudInit === undefined ? {} : { cloudInit };
  const interfaces = hypervisor.interfaces.map(withoutHost);
  return { ...seed, hypervisor: { ...withoutAgent(hypervisor), interfaces }, uuid };
}

/** Whether another agent is to be asked of the VMM that runs: a new attachment does that, and no new VMM is needed. */
export function asksOtherAgent(before: VmSpec, after: VmSpec): boolean {
  const [old, fresh] = [before.hypervisor, after.hypervisor];
  return old.guestAgent !== fresh.guestAgent && !('guestAgent' in withoutAgent(fresh));
}

/** An agent behind a vsock device is met by the device's socket, which is there whether anybody asks it or not. */
function withoutAgent(hypervisor: HypervisorSpec): Partial<HypervisorSpec> {
  if (hypervisor.driver !== 'cloud-hypervisor' && hypervisor.driver !== 'firecracker') return hypervisor;
  const { guestAgent: _agent, ...machine } = hypervisor;
  return machine;
}

/** What the host does with a device is no part of the machine: it changes while the VMM runs. */
function withoutHost(network: NetworkInterface): NetworkInterface {
  if (network.type !== 'tap') return network;
  const { bridge: _bridge, create: _create, ...machine } = network;
  return machine;
}

/** Paths of the values that differ, for example `hypervisor.memoryMiB`, `hypervisor.disks[0].path`, in order. */
export function differingPaths(a: unknown, b: unknown, path = ''): string[] {
  if (a === b) return [];
  if (Array.isArray(a) && Array.isArray(b)) {
    const length = Math.max(a.length, b.length);
    return Array.from({ length }, (_, i) => differingPaths(a[i], b[i], `${path}[${i}]`)).flat();
  }
  if (!isMapping(a) || !isMapping(b)) return [path];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return names.flatMap((name) => differingPaths(a[name], b[name], path === '' ? name : `${path}.${name}`));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
