import { availableParallelism } from 'node:os';
import { WorkerPool } from '../pool/index.js';
import { type FleetRange, sizeOf } from './fleet-size.js';
import type { SeedOptions, SeedReport } from './simulate.js';
import { Tally } from './totals.js';

/** A seed that takes longer hangs: it is an error, not a slow one. */
const SEED_DEADLINE_MS = 30 * 60_000;
/** A thread takes some 200 MB, and two seeds until what it runs is compiled. */
const AT_ONCE = Math.min(8, availableParallelism());

export interface RunOptions extends Omit<SeedOptions, 'seed' | keyof FleetRange> {
  readonly fleet: FleetRange;
  readonly fromSeed: number;
  readonly toSeed: number;
  readonly signal: AbortSignal;
  readonly onSeed?: (tally: Tally) => void;
}

/**
 * Runs every seed of a range on as many threads as there are processors, eight at most, and adds up what came of it.
 * Errors: ERR_VMPULSE_ABORTED, and a seed's own.
 */
export async function runSeeds(options: RunOptions): Promise<Tally> {
  const { fromSeed, toSeed, fleet, signal, onSeed, ...rest } = options;
  const pool = new WorkerPool({ maxThreads: AT_ONCE });
  const tally = new Tally();
  const worker = new URL('./worker.js', import.meta.url);
  let next = fromSeed;
  const work = async () => {
    while (next <= toSeed) {
      const seed = next++;
      const asked = { ...rest, ...sizeOf(seed, fleet), seed };
      const report = await pool.run(worker, asked, { deadlineMs: SEED_DEADLINE_MS, signal });
      // Our own code in our own thread: its shape is what simulateSeed gave.
      tally.add(report as SeedReport);
      onSeed?.(tally);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    await pool.close();
  }
  tally.failed.sort((a, b) => a.seed - b.seed);
  return tally;
}
