import type { Outcome, ProbeState } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type { Reason } from '../model/reasons.js';

/** A change of state: what a transition tells of it. Wall-clock milliseconds. */
export interface Change {
  readonly from: ProbeState;
  readonly to: ProbeState;
  /** Why, for `failed` and `blind`. */
  readonly reason?: Reason;
  readonly atMs: number;
  readonly streakStartMs: number;
  readonly count: number;
  /** 0: none in this instance. */
  readonly lastOkMs: number;
}

/** What lasts over a restart of the prober. Blindness was about the prober that ended. */
export interface SavedThresholds {
  readonly known: KnownState;
  readonly reason?: Reason;
  readonly consecutiveOk: number;
  readonly consecutiveFailed: number;
  readonly streakStartMs: number;
  readonly lastAtMs: number;
  readonly lastOkMs: number;
}

/** Any state but `blind`, which hides one of these. */
export type KnownState = Exclude<ProbeState, 'blind'>;

/** A start state that a caller gave as `blind` says no more than `unknown`. */
function knownState(state: ProbeState): KnownState {
  return state === 'blind' ? 'unknown' : state;
}

/**
 * Rise, fall, blind and adaptive periods of one target: what a series of outcomes means. Does nothing but count; `now`
 * is an argument. The engine's Rust core has the same, and `test/vectors/thresholds.json` runs against both.
 */
export class Thresholds {
  #known: KnownState;
  #knownReason: Reason | undefined;
  /** Set while blind. */
  #blindReason: Reason | undefined;
  #blindStartMs = 0;
  #streakStartMs = 0;
  #lastOutcome: Outcome | undefined;
  #lastAtMs = 0;
  #lastOkMs = 0;
  #ok = 0;
  #failed = 0;
  #inconclusive = 0;

  constructor(start: ProbeState) {
    this.#known = knownState(start);
  }

  static restore(saved: SavedThresholds): Thresholds {
    const thresholds = new Thresholds(saved.known);
    thresholds.#knownReason = saved.reason;
    thresholds.#ok = saved.consecutiveOk;
    thresholds.#failed = saved.consecutiveFailed;
    thresholds.#streakStartMs = saved.streakStartMs;
    thresholds.#lastAtMs = saved.lastAtMs;
    thresholds.#lastOkMs = saved.lastOkMs;
    return thresholds;
  }

  save(): SavedThresholds {
    return {
      known: this.#known,
      ...(this.#knownReason === undefined ? {} : { reason: this.#knownReason }),
      consecutiveOk: this.#ok,
      consecutiveFailed: this.#failed,
      streakStartMs: this.#streakStartMs,
      lastAtMs: this.#lastAtMs,
      lastOkMs: this.#lastOkMs,
    };
  }

  get state(): ProbeState {
    return this.#blindReason === undefined ? this.#known : 'blind';
  }

  /** Why the state is `failed` or `blind`. */
  get reason(): Reason | undefined {
    return this.#blindReason ?? this.#knownReason;
  }

  get consecutiveOk(): number {
    return this.#ok;
  }

  get consecutiveFailed(): number {
    return this.#failed;
  }

  get consecutiveInconclusive(): number {
    return this.#inconclusive;
  }

  get lastOutcome(): Outcome | undefined {
    return this.#lastOutcome;
  }

  /** 0: none yet. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** 0: none in this instance. */
  get lastOkMs(): number {
    return this.#lastOkMs;
  }

  /** Counts one outcome. */
  observe(outcome: Outcome, atMs: number, timing: ProbeTiming, blindAfter: number): Change | undefined {
    this.note(outcome, atMs);
    switch (outcome.result) {
      case 'ok':
        return this.#countOk(atMs, timing.successThreshold);
      case 'failed':
        return this.#countFailed(outcome.reason, atMs, timing.failureThreshold);
      case 'inconclusive':
        return this.#countInconclusive(outcome.reason, atMs, blindAfter);
    }
  }

  /** A failure that needs no confirmation (a dead process is dead). */
  failAtOnce(outcome: Extract<Outcome, { result: 'failed' }>, atMs: number): Change | undefined {
    this.note(outcome, atMs);
    return this.#countFailed(outcome.reason, atMs, 1);
  }

  /** Remembers an outcome as the last one without counting it (a probe that a suspension ended). */
  note(outcome: Outcome, atMs: number): void {
    this.#lastOutcome = outcome;
    this.#lastAtMs = atMs;
  }

  /** The period that applies after what was seen so far. */
  periodMs(timing: ProbeTiming): number {
    if (this.#known === 'failed') return timing.downPeriodMs ?? timing.periodMs;
    if (this.#failed > 0) return timing.retryPeriodMs ?? timing.periodMs;
    return timing.periodMs;
  }

  #countInconclusive(reason: Reason, atMs: number, blindAfter: number): Change | undefined {
    if (this.#inconclusive === 0) this.#blindStartMs = atMs;
    this.#inconclusive += 1;
    if (this.#blindReason !== undefined || this.#inconclusive < blindAfter) return undefined;
    const from = this.state;
    this.#blindReason = reason;
    return {
      from,
      to: 'blind',
      reason,
      atMs,
      streakStartMs: this.#blindStartMs,
      count: this.#inconclusive,
      lastOkMs: this.#lastOkMs,
    };
  }

  #countOk(atMs: number, threshold: number): Change | undefined {
    if (this.#ok === 0) this.#streakStartMs = atMs;
    this.#ok += 1;
    this.#failed = 0;
    this.#lastOkMs = atMs;
    return this.#conclude(this.#ok >= threshold ? 'ok' : this.#known, undefined, atMs, this.#ok);
  }

  #countFailed(reason: Reason, atMs: number, threshold: number): Change | undefined {
    if (this.#failed === 0) this.#streakStartMs = atMs;
    this.#failed += 1;
    this.#ok = 0;
    return this.#conclude(this.#failed >= threshold ? 'failed' : this.#known, reason, atMs, this.#failed);
  }

  /** Any conclusive outcome ends blindness, in the last known state or the one it leads to. */
  #conclude(to: KnownState, reason: Reason | undefined, atMs: number, count: number): Change | undefined {
    const from = this.state;
    this.#inconclusive = 0;
    this.#blindReason = undefined;
    if (to !== 'failed') this.#knownReason = undefined;
    else if (this.#known !== 'failed' || this.#knownReason === undefined) this.#knownReason = reason;
    this.#known = to;
    if (from === to) return undefined;
    return {
      from,
      to,
      ...(this.#knownReason === undefined ? {} : { reason: this.#knownReason }),
      atMs,
      streakStartMs: this.#streakStartMs,
      count,
      lastOkMs: this.#lastOkMs,
    };
  }
}
