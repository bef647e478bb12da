import type { NetworkInterface } from './hypervisor.js';
import type { VmSpec } from './vm.js';

/** A network device of the host, as the kernel shows it. */
export interface LinkInfo {
  /** The kernel's number of it; another one after it was made anew. */
  readonly index: number;
  readonly name: string;
  /** `52:54:00:12:34:56`; null for a device that has none. */
  readonly mac: string | null;
  /** `tun` (also a TAP), `bridge`, `veth` …; null for hardware. */
  readonly kind: string | null;
  /** Bytes. */
  readonly mtu: number;
  /** Set up by its administrator. */
  readonly up: boolean;
  /** Somebody is at the other end: for a TAP, a process that holds its queue. */
  readonly carrier: boolean;
  /** The bridge that it is a port of; null: none. */
  readonly master: string | null;
  /** Since it was made. Of a TAP, what the host received is what the guest sent. */
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** Null for a device that is no TUN and no TAP. */
  readonly tun: {
    readonly type: 'tap' | 'tun';
    readonly persistent: boolean;
    readonly vnetHeader: boolean;
    readonly multiQueue: boolean;
    /** User and group that may attach; null: whoever has CAP_NET_ADMIN. */
    readonly owner: number | null;
    readonly group: number | null;
  } | null;
}

/** A host-wide network that vmpulse makes and keeps: a bridge, and what leads out of it. */
export interface HostNetwork {
  readonly bridge: string;
  /** The host's own address on it with its prefix, `10.77.0.1/24`; unset: it has none. */
  readonly address?: string;
  /** What leaves the network gets the host's address. Needs `address`. */
  readonly nat: boolean;
  /** Where it leaves; unset: anywhere. */
  readonly uplink?: string;
}

/** What can be wrong with the host's side of a VM's interface, in the order of what hides the rest. */
export const LINK_FAULTS = [
  'tap-missing',
  'not-a-tap',
  /** The VMM holds no such device: it was removed under it, and one made anew does not bring it back. */
  'no-carrier',
  'bridge-missing',
  'tap-down',
  'wrong-bridge',
  'bridge-down',
] as const;

export type LinkFault = (typeof LINK_FAULTS)[number];

/** The VMM has lost its device: only a new VMM attaches to one again. */
export function isLost(fault: LinkFault): boolean {
  return fault === 'tap-missing' || fault === 'no-carrier';
}

/** The device of a VM as the host document says it should be. */
export type Tap = Extract<NetworkInterface, { readonly type: 'tap' }>;

export function tapsOf({ hypervisor }: Pick<VmSpec, 'hypervisor'>): readonly Tap[] {
  return hypervisor.interfaces.filter((network) => network.type === 'tap');
}

/** vmpulse keeps it as it should be, as opposed to one that others make and keep. */
export function isManaged({ bridge, create }: Tap): boolean {
  return bridge !== undefined || create === true;
}

/** One thing that is wrong with a device. */
export interface FoundFault {
  readonly fault: LinkFault;
  readonly device: string;
  /** For a person. */
  readonly text: string;
}

/**
 * What is wrong with the host's side of an interface, worst first; empty: nothing. `isHeld`: a VMM runs that should hold
 * the device. Counters are not judged: a guest need not send.
 */
export function faultsOf(
  tap: Pick<Tap, 'device' | 'bridge'>,
  isHeld: boolean,
  look: (name: string) => LinkInfo | undefined,
): readonly FoundFault[] {
  const { device } = tap;
  const found = (fault: LinkFault, text: string): FoundFault => ({ fault, device, text });
  const link = look(device);
  if (link === undefined) return [found('tap-missing', `there is no device ${device}`)];
  if (link.tun?.type !== 'tap')
    return [found('not-a-tap', `${device} is no TAP (${link.kind ?? 'hardware'})`)];
  const faults: FoundFault[] = [];
  if (isHeld && !link.carrier) faults.push(found('no-carrier', `no VMM holds ${device}`));
  const name = tap.bridge ?? link.master ?? undefined;
  const bridge = name === undefined ? undefined : look(name);
  if (name !== undefined && bridge === undefined)
    faults.push(found('bridge-missing', `there is no bridge ${name} for ${device}`));
  if (!link.up) faults.push(found('tap-down', `${device} is down`));
  if (bridge !== undefined && link.master !== name)
    faults.push(found('wrong-bridge', `${device} is on ${link.master ?? 'no bridge'} instead of ${name}`));
  if (bridge !== undefined && !bridge.up)
    faults.push(found('bridge-down', `${name}, the bridge of ${device}, is down`));
  return faults;
}
