import { Random } from './random.js';

/** From, to; both included. */
export type Range = readonly [from: number, to: number];

/** How large what is simulated may be. */
export interface FleetRange {
  readonly vms: Range;
  readonly hosts: Range;
  readonly days: Range;
}

export interface FleetSize {
  readonly vms: number;
  readonly hosts: number;
  readonly days: number;
}

/**
 * The size that a seed has: each doubling is as likely as the next, for small fleets fail in ways of their own. It takes
 * nothing from the dice of the world, so that the same seed with this very size as its option is the same story.
 */
export function sizeOf(seed: number, { vms, hosts, days }: FleetRange): FleetSize {
  const random = new Random(`size ${seed}`);
  const drawn = ([from, to]: Range) =>
    Math.min(to, Math.floor(from * ((to + 1) / from) ** random.fraction()));
  const size = { vms: drawn(vms), days: drawn(days) };
  // Hosts without a VM are of no interest, unless they were asked for.
  const most = Math.max(hosts[0], Math.min(hosts[1], size.vms));
  return { ...size, hosts: drawn([hosts[0], most]) };
}
