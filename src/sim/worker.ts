import { type SeedOptions, type SeedReport, simulateSeed } from './simulate.js';

/** One seed in a thread of the pool. */
export default function worker(options: SeedOptions): Promise<SeedReport> {
  return simulateSeed(options);
}
