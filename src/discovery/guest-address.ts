import { BlockList, isIPv4, SocketAddress } from 'node:net';
import type { FoundVm } from '../hypervisors/discovery/index.js';
import { given } from '../model/given.js';
import type { ToldAddress } from '../model/guest.js';

/** Where a guest is reached on its bridge, and whose address that is. */
export interface GuestAddress {
  readonly ip: string;
  readonly mac: string;
  /** Bridge of its TAP device; unset: it is on none. */
  readonly bridge?: string;
}

/** An IP address that somebody gives to a MAC address. */
export interface KnownAddress extends ToldAddress {
  /** Where that stands, for a person. */
  readonly source: string;
  /** The guest says so itself. */
  readonly told?: true;
}

/** What the host knows of addresses. */
export interface AddressBook {
  /** What DHCP servers gave out. */
  readonly leases: readonly KnownAddress[];
  /** Who answered last (ARP, and the neighbour table of IPv6). */
  readonly neighbours: readonly KnownAddress[];
  readonly bridgeOf: ReadonlyMap<string, string>;
  /** This host's own addresses. */
  readonly own: ReadonlySet<string>;
  /** The networks that this host is on by a device, as CIDR, by the name of the device. */
  readonly networks: ReadonlyMap<string, readonly string[]>;
}

/**
 * The address of a guest by the MAC of its TAP device: what its agent told, else a lease, else the neighbours. One that a
 * lease gives to another MAC, or that somebody else answers for, is not taken, whoever named it: whoever probed it would
 * judge another VM. What the guest alone says has to be on a network of its bridge: there it answers to its MAC itself. A text: why there is none although one is known.
 */
export function addressOf(
  { taps }: FoundVm,
  book: AddressBook,
  told: readonly ToldAddress[] = [],
): GuestAddress | string | undefined {
  const claims = [...told.flatMap(usable), ...book.leases, ...book.neighbours];
  let problem: string | undefined;
  for (const { mac, device } of taps) {
    if (mac === undefined) continue;
    const bridge = device === undefined ? undefined : book.bridgeOf.get(device);
    for (const claim of claims.filter((one) => one.mac === mac)) {
      const wrong = contradiction(claim, book) ?? (claim.told && distance(claim.ip, bridge ?? device, book));
      if (wrong === undefined) return { ip: claim.ip, mac, ...given({ bridge }) };
      problem ??= `${claim.ip} is ${mac}'s by ${claim.source}, and ${wrong}; it is not probed`;
    }
  }
  return problem;
}

/** Whoever answers at an address that is on none of the guest's networks, it need not be the guest. */
function distance(ip: string, link: string | undefined, { networks }: AddressBook): string | undefined {
  const near = (link === undefined ? undefined : networks.get(link)) ?? [];
  if (near.some((network) => contains(network, ip))) return undefined;
  return `no network of this host on ${link ?? 'its device'} has it, and nobody else says so (an address in its document is taken)`;
}

function contains(network: string, ip: string): boolean {
  const [address = '', prefix] = network.split('/');
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (isIPv4(ip) !== (family === 'ipv4')) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family);
  return list.check(ip, family);
}

/** What else is known of the address that does not fit. */
function contradiction(
  { ip, mac }: KnownAddress,
  { leases, neighbours, own }: AddressBook,
): string | undefined {
  if (own.has(ip)) return 'this host has it itself';
  const holder = neighbours.find((one) => one.ip === ip);
  if (holder !== undefined && holder.mac !== mac) return `${holder.mac} answers for it`;
  const owners = leases.filter((one) => one.ip === ip);
  const [owner] = owners;
  if (owner === undefined || owners.some((one) => one.mac === mac)) return undefined;
  return `${owner.source} gives it to ${owner.mac}`;
}

/** Addresses that name no single guest, or none beyond its own link. */
const UNUSABLE = {
  ipv4: blocked('ipv4', ['0.0.0.0', 8], ['127.0.0.0', 8], ['169.254.0.0', 16], ['224.0.0.0', 3]),
  ipv6: blocked('ipv6', ['::', 96], ['::ffff:0:0', 96], ['fe80::', 10], ['ff00::', 8]),
};

function blocked(family: 'ipv4' | 'ipv6', ...nets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of nets) list.addSubnet(net, prefix, family);
  return list;
}

/** A guest may say anything: what can be an address of its own, in the form in which the host writes it. */
function usable({ mac, ip }: ToldAddress): KnownAddress[] {
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
  if (ip.includes('%') || UNUSABLE[family].check(ip, family)) return [];
  return [
    { mac, ip: new SocketAddress({ address: ip, family }).address, source: 'its guest agent', told: true },
  ];
}
