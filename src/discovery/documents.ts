import { stringify } from 'yaml';
import { type FoundVm, isForeign, type Mark } from '../hypervisors/discovery/index.js';
import { given } from '../model/given.js';
import type { GuestAddress } from './guest-address.js';
import { probesFor } from './probes-for.js';

/** A found VM with the name that it has here. */
interface NamedVm {
  readonly name: string;
  readonly vm: FoundVm;
  /** Unset: not known. */
  readonly address: GuestAddress | undefined;
}

/** The two documents of a VM as YAML, or why there are none. */
export type VmDocuments = { readonly text: string } | { readonly problem: string };

/**
 * Manifest and host document that watch a VM and never act on it. `all`: everything that was found, among which the VM
 * must be told apart. A VM of a foreign owner is known by its process; no socket of it is named.
 */
export function documentsOf({ name, vm, address }: NamedVm, all: readonly FoundVm[]): VmDocuments {
  const adopt = isForeign(vm.owner) ? undefined : adoptOf(vm, all);
  const hypervisor = adopt === undefined ? observed(vm, all) : { [MAPPINGS[vm.vmm]]: { adopt } };
  if (hypervisor === undefined) {
    return { problem: 'nothing on its command line tells it from others; give its VMM a UUID or a name' };
  }
  const metadata = { name, namespace: 'default' };
  const hasAgent = adopt !== undefined && 'agentSocket' in adopt;
  const probes = probesFor(vm, { address, hasAgent });
  const manifest = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata,
    spec: { runStrategy: 'Manual', template: { spec: { domain: domainOf(vm, all) } } },
  };
  const host = {
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata,
    spec: {
      hypervisor,
      ...given({ address: address?.ip }),
      ...(probes.length === 0 ? {} : { probes }),
      recovery: { enabled: false },
    },
  };
  return { text: `${comment(vm)}${stringify(manifest)}---\n${stringify(host)}` };
}

/** One line that says what it is; for a person who opens the file. */
function comment({ vmm, owner }: FoundVm): string {
  const who = owner.kind === 'user' ? `uid ${owner.uid}` : owner.kind;
  return `# found: ${vmm}, run by ${who}; watched, not acted on\n`;
}

function domainOf({ uuid, memoryMiB, vcpus }: FoundVm, all: readonly FoundVm[]): object {
  const isShared = all.filter((one) => one.uuid === uuid).length > 1;
  return {
    ...(uuid === undefined || isShared ? {} : { firmware: { uuid } }),
    ...(memoryMiB === undefined ? {} : { memory: { guest: `${memoryMiB}Mi` } }),
    ...(vcpus === undefined ? {} : { cpu: { cores: vcpus } }),
  };
}

/** Undefined: it cannot be told from others. */
function observed(vm: FoundVm, all: readonly FoundVm[]): object | undefined {
  const mark = vm.marks.find((one) => isOnlyOnes(one, vm, all));
  return mark && { observed: { mark: `${mark.option} ${mark.value}` } };
}

const MAPPINGS = { qemu: 'qemu', 'cloud-hypervisor': 'cloudHypervisor', firecracker: 'firecracker' } as const;

/** Its monitor or API, where that is there and no other VM's as well. */
function adoptOf(vm: FoundVm, all: readonly FoundVm[]): object | undefined {
  const sockets = (one: FoundVm) => [...one.monitors, one.agent, one.api];
  const isOwn = (socket: string) =>
    vm.present.includes(socket) && all.every((one) => one === vm || !sockets(one).includes(socket));
  const monitor = vm.vmm === 'qemu' ? vm.monitors[0] : vm.api;
  if (monitor === undefined || !isOwn(monitor)) return undefined;
  if (vm.vmm !== 'qemu') return { apiSocket: monitor };
  const agent = vm.agent !== undefined && isOwn(vm.agent) ? { agentSocket: vm.agent } : {};
  return { qmpSocket: monitor, ...agent };
}

function isOnlyOnes(mark: Mark, vm: FoundVm, all: readonly FoundVm[]): boolean {
  const isSame = (other: Mark) =>
    other.option === mark.option && other.value.toLowerCase() === mark.value.toLowerCase();
  return all.every((other) => other === vm || !other.marks.some(isSame));
}
