import { readFile, stat } from 'node:fs/promises';
import type { Deadline } from '../../model/deadline.js';
import type { NetworkInterface } from '../../model/hypervisor.js';
import type { GuestCounter } from '../../model/ports.js';

const MAX_COUNTERS = 256;

/**
 * What the VMM counts itself; packets that the guest sent, from its TAP devices; and how much it wrote to its console.
 * Only the first needs the VMM. Each source that cannot be read is left out.
 */
export async function guestCounters(
  ofVmm: Promise<readonly GuestCounter[]>,
  interfaces: readonly NetworkInterface[],
  consoleLog: string | undefined,
  deadline: Deadline,
): Promise<readonly GuestCounter[]> {
  const taps = interfaces.flatMap((nic) => (nic.type === 'tap' ? [nic.device] : []));
  const console = consoleLog === undefined ? [] : [written(consoleLog)];
  const sources = [ofVmm, ...taps.map((tap) => sentBy(tap)), ...console];
  const read = sources.map((source) => deadline.race(source).catch(() => []));
  return (await Promise.all(read)).flat().slice(0, MAX_COUNTERS);
}

async function written(consoleLog: string): Promise<GuestCounter[]> {
  return [{ name: 'console', value: (await stat(consoleLog)).size }];
}

/** What the host received from the TAP is what the guest sent; what goes to the guest says nothing of it. */
async function sentBy(tap: string): Promise<GuestCounter[]> {
  const text = await readFile(`/sys/class/net/${tap}/statistics/rx_packets`, 'utf8');
  const value = Number(text.trim());
  return Number.isFinite(value) ? [{ name: `network ${tap}`, value }] : [];
}
