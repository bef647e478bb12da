import type { Outcome } from '../../model/outcome.js';
import { outcomeReason } from '../../model/outcome.js';
import type { Reason } from '../../model/reasons.js';
import type { EngineStats, TargetCheck } from '../probe-engine.js';

export type Kind = TargetCheck['kind'];

/** Upper bounds of the duration histogram; one more bucket takes the rest. The Rust engine has the same. */
const DURATION_BOUNDS_SECONDS = [
  0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
] as const;

/** Lateness buckets: eight to a power of two, from 1 µs to 2³¹ µs. */
const LATENESS_BUCKETS = 32 * 8;

interface Durations {
  readonly counts: number[];
  sumMs: number;
}

function latenessBucket(ms: number): number {
  const us = Math.min(Math.max(ms * 1000, 1), 2 ** 31 - 1);
  const power = Math.floor(Math.log2(us));
  return Math.min(power * 8 + Math.floor((us / 2 ** power - 1) * 8), LATENESS_BUCKETS - 1);
}

/** The upper edge of a bucket. */
function latenessEdgeMs(bucket: number): number {
  return ((9 + (bucket % 8)) * 2 ** Math.floor(bucket / 8)) / 8 / 1000;
}

/** Totals of one engine. */
export class Stats {
  #started = 0;
  readonly #outcomes = new Map<Kind, Map<Reason | 'ok', number>>();
  readonly #durations = new Map<Kind, Durations>();
  /** Since the last reading. */
  readonly #lateness = new Uint32Array(LATENESS_BUCKETS);
  #latenessMaxMs = 0;

  started(lateMs: number): void {
    this.#started += 1;
    const bucket = latenessBucket(lateMs);
    this.#lateness[bucket] = (this.#lateness[bucket] ?? 0) + 1;
    this.#latenessMaxMs = Math.max(this.#latenessMaxMs, lateMs);
  }

  finished(kind: Kind, outcome: Outcome, durationMs: number): void {
    const reason = outcomeReason(outcome) ?? 'ok';
    const outcomes = this.#outcomes.get(kind) ?? new Map<Reason | 'ok', number>();
    this.#outcomes.set(kind, outcomes.set(reason, (outcomes.get(reason) ?? 0) + 1));
    const durations = this.#durations.get(kind) ?? {
      counts: new Array<number>(DURATION_BOUNDS_SECONDS.length + 1).fill(0),
      sumMs: 0,
    };
    this.#durations.set(kind, durations);
    const found = DURATION_BOUNDS_SECONDS.findIndex((bound) => durationMs / 1000 <= bound);
    const bucket = found === -1 ? DURATION_BOUNDS_SECONDS.length : found;
    durations.counts[bucket] = (durations.counts[bucket] ?? 0) + 1;
    durations.sumMs += durationMs;
  }

  /** Reads all; the lateness begins anew. */
  read(now: {
    readonly targets: number;
    readonly inFlight: number;
    readonly coalesced: number;
  }): EngineStats {
    const outcomes = [...this.#outcomes].flatMap(([kind, byReason]) =>
      [...byReason].map(([reason, count]) => ({ kind, reason, count })),
    );
    const durations = [...this.#durations].map(([kind, { counts, sumMs }]) => {
      let total = 0;
      const cumulative = counts.map((count) => {
        total += count;
        return total;
      });
      return { kind, bounds: [...DURATION_BOUNDS_SECONDS], counts: cumulative, sumSeconds: sumMs / 1000 };
    });
    return {
      ...now,
      probesStarted: this.#started,
      outcomes,
      durations,
      latenessMs: this.#readLateness(),
      // A fault here is an error of the host program's own loop.
      reactorPanics: 0,
      reactorsDown: 0,
      backend: 'portable',
      reactor: 'node',
    };
  }

  #readLateness(): EngineStats['latenessMs'] {
    const total = this.#lateness.reduce((sum, count) => sum + count, 0);
    const max = this.#latenessMaxMs;
    const quantile = (share: number): number => {
      let left = Math.ceil(total * share);
      if (left === 0) return 0;
      const bucket = this.#lateness.findIndex((count) => {
        left -= count;
        return left <= 0;
      });
      return Math.min(latenessEdgeMs(bucket), max);
    };
    const read = { p50: quantile(0.5), p99: quantile(0.99), max };
    this.#lateness.fill(0);
    this.#latenessMaxMs = 0;
    return read;
  }
}
