import type { FoundVm } from '../hypervisors/discovery/index.js';

/** Where a guest is reached on its bridge, and whose address that is. */
export interface GuestAddress {
  readonly ip: string;
  readonly mac: string;
  /** Bridge of its TAP device; unset: it is on none. */
  readonly bridge?: string;
}

/** An IP address that some file of the host gives to a MAC address. */
export interface KnownAddress {
  readonly mac: string;
  readonly ip: string;
  /** Where that stands, for a person. */
  readonly source: string;
}

/** What the host knows of addresses. */
export interface AddressBook {
  /** What DHCP servers gave out. */
  readonly leases: readonly KnownAddress[];
  /** Who answered last (ARP). */
  readonly neighbours: readonly KnownAddress[];
  readonly bridgeOf: ReadonlyMap<string, string>;
}

/**
 * The address of a guest by the MAC of its TAP device: leases first, else the neighbour table. A lease whose address somebody
 * else answers for is not taken: whoever probed it would judge another VM. A text: why there is none although one is known.
 */
export function addressOf({ taps }: FoundVm, book: AddressBook): GuestAddress | string | undefined {
  let problem: string | undefined;
  for (const { mac, device } of taps) {
    if (mac === undefined) continue;
    const lease = book.leases.find((one) => one.mac === mac);
    const bridge = device === undefined ? undefined : book.bridgeOf.get(device);
    const found = lease ?? book.neighbours.find((one) => one.mac === mac);
    if (found === undefined) continue;
    const holder = book.neighbours.find(({ ip }) => ip === found.ip);
    if (holder === undefined || holder.mac === mac)
      return { ip: found.ip, mac, ...(bridge === undefined ? {} : { bridge }) };
    problem = `${found.ip} is ${mac}'s by ${found.source}, and ${holder.mac} answers for it; it is not probed`;
  }
  return problem;
}
