import { Phase } from '../engine/portable/timing.js';
import type { Target } from '../engine/probe-engine.js';
import { type Change, type SavedThresholds, Thresholds } from '../engine/thresholds.js';
import type { Outcome } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type { Timeline } from './timeline.js';

/** What a probe that starts now would find. */
export interface Seen {
  readonly outcome: Outcome;
  /** From start to verdict; less than the period. */
  readonly durationMs: number;
  /** True: the next probe may find something else although nothing changes (loss, flapping of the observer). */
  readonly varies: boolean;
}

export interface TargetPorts {
  readonly timeline: Timeline;
  /** Wall clock of the host. */
  readonly wallMs: () => number;
  readonly blindAfter: number;
  /** False: every probe is run one by one, as an engine does; the reference that sleeping is compared with. */
  readonly maySleep: boolean;
  readonly emit: (target: SimTarget, change: Change, durationMs: number) => void;
  /** A probe has ended; those that are slept through are not told. */
  readonly ended: (target: SimTarget, seen: Seen) => void;
}

/** Nothing but this outcome follows. True times. */
interface Slept {
  readonly seen: Seen;
  readonly scheduledMs: number;
  readonly periodMs: number;
}

/** A target's thresholds at one moment. */
export interface Frozen {
  readonly hash: bigint;
  readonly saved: SavedThresholds;
  readonly slept: Slept | null;
}

/**
 * One probe of a VM, in the schedule and with the thresholds of the production engine. Once nothing but the same
 * outcome can follow, it sleeps until what it looks at has changed, and then counts what it has slept through.
 */
export class SimTarget {
  readonly handle: number;
  readonly target: Target;
  readonly see: () => Seen;
  epoch = 1;
  thresholds: Thresholds;
  timing: ProbeTiming;
  suspended = false;
  readonly #ports: TargetPorts;
  readonly #phase: Phase;
  /** True time of the next start. */
  #scheduledMs = 0;
  #cancel: () => void = () => {};
  #asleep: Seen | null = null;
  #frozen: Frozen | null = null;
  readonly #hash: bigint;
  #removed = false;

  constructor(handle: number, idHash: bigint, target: Target, see: () => Seen, ports: TargetPorts) {
    this.handle = handle;
    this.target = target;
    this.timing = target.timing;
    this.see = see;
    this.thresholds = new Thresholds(target.startState);
    this.#phase = new Phase(idHash);
    this.#hash = idHash;
    this.#ports = ports;
    this.#startAt(this.#phase.firstStart(this.timing, ports.timeline.nowMs));
  }

  /** What it looks at has changed: what follows is found out probe by probe again. */
  touch(): void {
    if (this.#asleep === null) return;
    this.#catchUp();
    this.#startAt(this.#scheduledMs);
  }

  update(timing: ProbeTiming): void {
    this.#catchUp();
    this.timing = timing;
    if (!this.suspended) this.#startFromNow();
  }

  suspend(): void {
    this.#catchUp();
    this.suspended = true;
    this.#asleep = null;
    this.#frozen = null;
    this.#cancel();
  }

  resume(): void {
    if (!this.suspended) return;
    this.suspended = false;
    this.#startFromNow();
  }

  newInstance(): void {
    this.#asleep = null;
    this.#frozen = null;
    this.#cancel();
    this.epoch += 1;
    this.thresholds = new Thresholds(this.target.startState);
    if (!this.suspended) this.#startAt(this.#phase.firstStart(this.timing, this.#ports.timeline.nowMs));
  }

  remove(): void {
    this.#removed = true;
    this.#cancel();
  }

  /** Dead is dead: no threshold applies. */
  processEnded(): void {
    this.touch();
    const outcome = { result: 'failed', reason: 'process-gone' } as const;
    this.#frozen = null;
    const change = this.thresholds.failAtOnce(outcome, this.#ports.wallMs());
    if (change) this.#ports.emit(this, change, 0);
  }

  /** What is known now, to be read later; costs nothing while it sleeps. */
  frozen(): Frozen {
    this.#frozen ??= {
      hash: this.#hash,
      saved: this.thresholds.save(),
      slept: this.#asleep && {
        seen: this.#asleep,
        scheduledMs: this.#scheduledMs,
        periodMs: this.thresholds.periodMs(this.timing),
      },
    };
    return this.#frozen;
  }

  /** Takes over what a former engine knew; a state that the caller does not know is told. */
  apply(saved: SavedThresholds): void {
    const from = this.thresholds.state;
    this.#frozen = null;
    this.thresholds = Thresholds.restore(saved);
    const { known: to, reason, streakStartMs, lastOkMs } = saved;
    if (from === to) return;
    const count = to === 'failed' ? saved.consecutiveFailed : saved.consecutiveOk;
    const why = reason === undefined ? {} : { reason };
    this.#ports.emit(
      this,
      { from, to, ...why, atMs: this.#ports.wallMs(), streakStartMs, count, lastOkMs },
      0,
    );
  }

  #startFromNow(): void {
    const periodMs = this.thresholds.periodMs(this.timing);
    this.#startAt(this.#phase.startFrom(this.timing, periodMs, this.#ports.timeline.nowMs));
  }

  #startAt(atMs: number): void {
    this.#cancel();
    this.#asleep = null;
    this.#frozen = null;
    // Whole milliseconds; the phase is one of microseconds, and not exact to the last bit.
    this.#scheduledMs = Math.ceil(atMs - 1e-6);
    this.#cancel = this.#ports.timeline.at(this.#scheduledMs, () => this.#start());
  }

  #start(): void {
    const seen = this.see();
    const { epoch } = this;
    this.#cancel = this.#ports.timeline.after(seen.durationMs, () => {
      if (epoch === this.epoch && !this.#removed) this.#verdict(seen);
    });
  }

  #verdict(seen: Seen): void {
    const { timeline, wallMs, blindAfter, maySleep, emit, ended } = this.#ports;
    this.#frozen = null;
    ended(this, seen);
    const change = this.thresholds.observe(seen.outcome, wallMs(), this.timing, blindAfter);
    const periodMs = this.thresholds.periodMs(this.timing);
    const next = this.#phase.nextStart(this.timing, periodMs, this.#scheduledMs, timeline.nowMs);
    if (maySleep && !seen.varies && this.#isSettled(seen.outcome) && this.#isWhatIsSeen(seen)) {
      this.#scheduledMs = Math.ceil(next - 1e-6);
      this.#asleep = seen;
    } else {
      this.#startAt(next);
    }
    if (change) emit(this, change, seen.durationMs);
  }

  /** The same outcome, however often it comes, changes the state no more. */
  #isSettled(outcome: Outcome): boolean {
    const { state } = this.thresholds;
    return state === (outcome.result === 'inconclusive' ? 'blind' : outcome.result);
  }

  /** Between start and verdict something may have changed; whoever sleeps through that is not woken. */
  #isWhatIsSeen(seen: Seen): boolean {
    const now = this.see();
    const { outcome } = seen;
    if (now.varies || now.outcome.result !== outcome.result) return false;
    return outcome.result === 'ok' || outcome.reason === (now.outcome as typeof outcome).reason;
  }

  /** Counts the probes that started, unseen, before now. */
  #catchUp(): void {
    if (this.#asleep === null) return;
    const { timeline, wallMs } = this.#ports;
    const { saved, slept } = this.frozen();
    if (slept === null) return;
    const missed = missedBy(slept, timeline.nowMs);
    if (missed === 0) return;
    this.#scheduledMs += missed * slept.periodMs;
    this.#frozen = null;
    // Blind counts nothing that anybody sees.
    if (slept.seen.outcome.result === 'inconclusive') return;
    const offsetMs = wallMs() - timeline.nowMs;
    this.thresholds = Thresholds.restore(sleptThrough(saved, slept, timeline.nowMs, offsetMs));
  }
}

/** Probes that started, unseen, before `untilMs` (true time). */
function missedBy(slept: Slept, untilMs: number): number {
  return Math.max(0, Math.ceil((untilMs - slept.scheduledMs) / slept.periodMs));
}

/** The thresholds after what was slept through: all of it was the same. `offsetMs`: of the wall clock to true time. */
export function sleptThrough(
  saved: SavedThresholds,
  slept: Slept,
  untilMs: number,
  offsetMs: number,
): SavedThresholds {
  const { result } = slept.seen.outcome;
  const missed = missedBy(slept, untilMs);
  if (missed === 0 || result === 'inconclusive') return saved;
  const lastAtMs = slept.scheduledMs + (missed - 1) * slept.periodMs + slept.seen.durationMs + offsetMs;
  return {
    ...saved,
    consecutiveOk: result === 'ok' ? saved.consecutiveOk + missed : 0,
    consecutiveFailed: result === 'failed' ? saved.consecutiveFailed + missed : 0,
    lastAtMs,
    lastOkMs: result === 'ok' ? lastAtMs : saved.lastOkMs,
  };
}
