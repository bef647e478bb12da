import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
import type { NetworkInterface } from '../../model/hypervisor.js';
import { plainText } from '../../model/plain-text.js';
import type { GuestCounter } from '../../model/ports.js';
import type { QemuMonitor } from './monitor.js';

const count = z.number().nonnegative().catch(0);
const BLOCK_STATS = z.array(
  z.object({
    device: z.string().catch(''),
    'node-name': z.string().catch(''),
    qdev: z.string().catch(''),
    stats: z.object({ rd_operations: count, wr_operations: count, flush_operations: count }),
  }),
);
const MAX_COUNTERS = 256;

/**
 * Requests to disks, from the monitor; packets that the guest sent, from its TAP devices; and how much it wrote to its
 * console. Only the first needs the monitor. Each source that cannot be read is left out.
 */
export async function guestCounters(
  monitor: QemuMonitor,
  interfaces: readonly NetworkInterface[],
  consoleLog: string | undefined,
  deadline: Deadline,
): Promise<readonly GuestCounter[]> {
  const taps = interfaces.flatMap((nic) => (nic.type === 'tap' ? [nic.device] : []));
  const console = consoleLog === undefined ? [] : [written(consoleLog)];
  const sources = [disks(monitor, deadline), ...taps.map((tap) => sentBy(tap)), ...console];
  const read = sources.map((source) => deadline.race(source).catch(() => []));
  return (await Promise.all(read)).flat().slice(0, MAX_COUNTERS);
}

async function disks(monitor: QemuMonitor, deadline: Deadline): Promise<GuestCounter[]> {
  if (!monitor.channel.connected) return [];
  const answer = BLOCK_STATS.parse(await monitor.request('query-blockstats', undefined, deadline));
  return answer.map(({ device, qdev, stats, 'node-name': node }, i) => {
    const name = plainText(device || qdev || node || String(i), 64);
    const value = stats.rd_operations + stats.wr_operations + stats.flush_operations;
    return { name: `disk ${name}`, value };
  });
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
