import { faultsOf, type HostNetwork, isLost, isManaged, type LinkFault, tapsOf } from '../model/link.js';
import type { VmId, VmSpec } from '../model/vm.js';
import { familyOf, parseCidr } from './cidr.js';
import type { Forwarding } from './forwarding.js';
import type { Links } from './links.js';

/** What can be wrong with a network of the host. */
export type NetworkFault =
  | LinkFault
  | 'not-a-bridge'
  | 'no-address'
  | 'uplink-missing'
  | 'forwarding-off'
  | 'rules-missing'
  | 'unreadable';

/** What repair does about it: the bridge, the device, forwarding or the rules are made as they should be. */
export type Remedy =
  | { readonly make: 'bridge'; readonly network: HostNetwork }
  | { readonly make: 'tap'; readonly vm: VmSpec; readonly device: string }
  | { readonly make: 'forwarding'; readonly family: 4 | 6 }
  | { readonly make: 'rules' };

export interface NetworkProblem {
  readonly fault: NetworkFault;
  /** Device it is about; null: the host. */
  readonly device: string | null;
  /** The VM whose device it is; null: what all share. */
  readonly vm: VmId | null;
  /** For a person. */
  readonly text: string;
  /** Null: repair can do nothing; `text` says what a person can. */
  readonly remedy: Remedy | null;
}

/** What is wrong with a network that vmpulse keeps. */
export async function inspectNetwork(
  network: HostNetwork,
  links: Links,
  forwarding: Forwarding,
): Promise<readonly NetworkProblem[]> {
  const { bridge, address, nat, uplink } = network;
  const problems: NetworkProblem[] = [];
  const add = (fault: NetworkFault, device: string | null, text: string, remedy: Remedy | null) =>
    problems.push({ fault, device, vm: null, text, remedy });
  const remedy: Remedy = { make: 'bridge', network };
  const link = links.info(bridge);
  if (link === undefined) add('bridge-missing', bridge, `there is no bridge ${bridge}`, remedy);
  else if (link.kind !== 'bridge')
    add('not-a-bridge', bridge, `${bridge} is no bridge; name another, or remove that device`, null);
  else {
    if (!link.up) add('bridge-down', bridge, `${bridge} is down`, remedy);
    if (address !== undefined && !links.addresses(bridge).includes(address))
      add('no-address', bridge, `${bridge} has not the address ${address}`, remedy);
  }
  if (uplink !== undefined && links.info(uplink) === undefined)
    add(
      'uplink-missing',
      uplink,
      `there is no device ${uplink}, the uplink of ${bridge}; name another`,
      null,
    );
  const family = familyOf(parseCidr(address ?? '')?.address ?? '');
  if (nat && family !== undefined && !(await forwarding.isOn(family))) {
    const text = `the host does not forward IPv${family}, so that nothing leaves ${bridge}`;
    add('forwarding-off', null, text, { make: 'forwarding', family });
  }
  return problems;
}

/** What is wrong with the devices of a VM. `isRunning`: its VMM should hold them. */
export function inspectVm(
  vm: VmSpec,
  isRunning: boolean,
  networks: readonly HostNetwork[],
  links: Links,
): readonly NetworkProblem[] {
  return tapsOf(vm).flatMap((tap) =>
    faultsOf(tap, isRunning, links.info).map(({ fault, device, text }): NetworkProblem => {
      const about = { fault, device, vm: vm.id };
      if (isLost(fault) && isRunning) {
        const why =
          'the VMM has lost its device: only a new VMM attaches to one again, so stop and start the VM';
        return { ...about, text: `${text}; ${why}`, remedy: null };
      }
      const network = networks.find(({ bridge }) => bridge === tap.bridge);
      if (fault === 'bridge-missing' || fault === 'bridge-down')
        return network === undefined
          ? {
              ...about,
              text: `${text}; it is none of vmpulse's networks, so see to it by hand`,
              remedy: null,
            }
          : { ...about, text, remedy: { make: 'tap', vm, device } };
      const canMake =
        fault !== 'not-a-tap' && (fault === 'tap-missing' ? tap.create === true : isManaged(tap));
      return { ...about, text, remedy: canMake ? { make: 'tap', vm, device } : null };
    }),
  );
}
