import type { ProbeTiming } from '../../model/probe.js';
import { argumentError, checkCount, checkMs } from './argument.js';

const MIN_PERIOD_MS = 50;
const MAX_THRESHOLD = 1_000_000;

/** Checks ranges and copies; the message of ERR_VMPULSE_ARGUMENT names the field. */
export function checkTiming(timing: ProbeTiming): ProbeTiming {
  const periodMs = checkMs('periodMs', timing.periodMs, MIN_PERIOD_MS);
  const timeoutMs = checkMs('timeoutMs', timing.timeoutMs, 1);
  if (timeoutMs >= periodMs) {
    throw argumentError(`timeoutMs ${timeoutMs} must be less than periodMs ${periodMs}`);
  }
  return {
    initialDelayMs: checkMs('initialDelayMs', timing.initialDelayMs, 0),
    periodMs,
    timeoutMs,
    successThreshold: checkCount('successThreshold', timing.successThreshold, MAX_THRESHOLD),
    failureThreshold: checkCount('failureThreshold', timing.failureThreshold, MAX_THRESHOLD),
    retryPeriodMs: checkMs('retryPeriodMs', timing.retryPeriodMs ?? periodMs, MIN_PERIOD_MS),
    downPeriodMs: checkMs('downPeriodMs', timing.downPeriodMs ?? periodMs, MIN_PERIOD_MS),
  };
}

const MASK = 0xffff_ffff_ffff_ffffn;

/** 64-bit hash of a target's id: FNV-1a, then mixed so that its remainders are even. The Rust engine has the same. */
export function idHash(id: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of Buffer.from(id, 'utf8')) {
    hash = ((hash ^ BigInt(byte)) * 0x0000_0100_0000_01b3n) & MASK;
  }
  hash = ((hash ^ (hash >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK;
  hash = ((hash ^ (hash >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK;
  return hash ^ (hash >> 31n);
}

/** When a target starts. Instants are milliseconds of the monotonic clock. */
export class Phase {
  readonly #hash: bigint;
  #periodMs = 0;
  #offsetMs = 0;

  constructor(hash: bigint) {
    this.#hash = hash;
  }

  /** The first start: in phase, at or after the initial delay, at most one period later. */
  firstStart(timing: ProbeTiming, nowMs: number): number {
    return this.#inPhase(nowMs + timing.initialDelayMs, timing.periodMs);
  }

  /** The first start from now on when a period (the normal one or another) begins to apply. */
  startFrom(timing: ProbeTiming, periodMs: number, nowMs: number): number {
    return periodMs === timing.periodMs ? this.#inPhase(nowMs, periodMs) : nowMs + periodMs;
  }

  /**
   * The start after one that was scheduled at `scheduledMs`, given the period that applies now. On the normal period
   * the target keeps (or comes back to) its phase; starts that were missed are left out.
   */
  nextStart(timing: ProbeTiming, periodMs: number, scheduledMs: number, nowMs: number): number {
    if (periodMs !== timing.periodMs) return Math.max(scheduledMs + periodMs, nowMs);
    return this.#inPhase(Math.max(scheduledMs + periodMs / 2, nowMs), periodMs);
  }

  /** The first instant at or after `earliestMs` that has the phase of the id in the period. */
  #inPhase(earliestMs: number, periodMs: number): number {
    if (periodMs !== this.#periodMs) {
      const periodUs = BigInt(Math.floor(periodMs * 1000));
      this.#offsetMs = Number(this.#hash % periodUs) / 1000;
      this.#periodMs = periodMs;
    }
    return earliestMs + ((this.#offsetMs + periodMs - (earliestMs % periodMs)) % periodMs);
  }
}
