import { z } from 'zod';
import type { Deadline } from '../../model/deadline.js';
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

/** Requests of the guest to each of its disks. */
export async function diskCounters(monitor: QemuMonitor, deadline: Deadline): Promise<GuestCounter[]> {
  if (!monitor.channel.connected) return [];
  const answer = BLOCK_STATS.parse(await monitor.request('query-blockstats', undefined, deadline));
  return answer.map(({ device, qdev, stats, 'node-name': node }, i) => {
    const name = plainText(device || qdev || node || String(i), 64);
    const value = stats.rd_operations + stats.wr_operations + stats.flush_operations;
    return { name: `disk ${name}`, value };
  });
}
