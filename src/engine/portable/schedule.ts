import type { Outcome } from '../../model/outcome.js';
import type { ProbeTiming } from '../../model/probe.js';
import { type Change, type SavedThresholds, Thresholds } from '../thresholds.js';
import { argumentError } from './argument.js';
import { monoMs, wallMs } from './clock.js';
import type { Outbox } from './outbox.js';
import { ProcessWatch } from './process-watch.js';
import type { Runner } from './runner.js';
import { type CheckedTarget, RegisteredTarget } from './target.js';
import type { Timers } from './timers.js';

const SUSPENDED: Outcome = { result: 'inconclusive', reason: 'suspended' };
const MAX_HANDLE = 2 ** 32 - 1;

export interface ScheduleParts {
  readonly timers: Timers;
  readonly runner: Runner;
  readonly outbox: Outbox;
  readonly blindAfter: number;
}

/** All registered targets: when they are probed, and what comes of it. */
export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #targets = new Map<number, RegisteredTarget>();
  readonly #processes = new ProcessWatch((handle) => this.#processEnded(this.expect(handle)));
  #lastHandle = 0;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#targets.size;
  }

  [Symbol.iterator](): IterableIterator<RegisteredTarget> {
    return this.#targets.values();
  }

  get(handle: number): RegisteredTarget | undefined {
    return this.#targets.get(handle);
  }

  /** Throws ERR_VMPULSE_ARGUMENT when no target has the handle. */
  expect(handle: number): RegisteredTarget {
    const target = this.#targets.get(handle);
    if (target !== undefined) return target;
    throw argumentError(`no target has the handle ${handle}; it was removed, or is of another engine`);
  }

  /** `saved`: what a snapshot said of it. Returns its handle. */
  add(checked: CheckedTarget, saved: SavedThresholds | undefined): number {
    const target = new RegisteredTarget(this.#freshHandle(), checked);
    this.#targets.set(target.handle, target);
    if (saved !== undefined) this.applySaved(target, saved);
    this.#startAt(target, target.phase.firstStart(target.timing, monoMs()));
    this.#watchProcess(target);
    return target.handle;
  }

  update(target: RegisteredTarget, timing: ProbeTiming): void {
    target.timing = timing;
    if (target.timer !== undefined) this.#startFromNow(target);
  }

  remove(target: RegisteredTarget): void {
    this.#rest(target);
    this.#targets.delete(target.handle);
    this.#parts.outbox.forget(target.handle);
    target.dropStream();
  }

  suspend(target: RegisteredTarget): void {
    if (target.suspended) return;
    target.suspended = true;
    if (target.probe?.isRunning === true) {
      target.thresholds.note(SUSPENDED, wallMs());
      this.#parts.runner.parts.stats.finished(target.check.kind, SUSPENDED, 0);
    }
    this.#rest(target);
  }

  resume(target: RegisteredTarget): void {
    if (!target.suspended) return;
    target.suspended = false;
    this.#startFromNow(target);
    this.#watchProcess(target);
  }

  newInstance(target: RegisteredTarget): void {
    this.#rest(target);
    this.#parts.outbox.forget(target.handle);
    target.dropStream();
    target.epoch += 1;
    target.thresholds = new Thresholds(target.startState);
    if (target.suspended) return;
    this.#startAt(target, target.phase.firstStart(target.timing, monoMs()));
    this.#watchProcess(target);
  }

  /** Answers a `due`; false: it is over. */
  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean {
    const target = this.#targets.get(handle);
    if (target === undefined) return false;
    if (target.check.kind !== 'external') {
      throw argumentError(`the target ${handle} is not external; the engine probes it itself`);
    }
    if (target.epoch !== epoch) return false;
    target.probe?.report({ outcome }, durationMs);
    return true;
  }

  /** Takes over what a snapshot says. A state that is not the one the caller knows is told as a transition. */
  applySaved(target: RegisteredTarget, saved: SavedThresholds): void {
    const from = target.thresholds.state;
    target.thresholds = Thresholds.restore(saved);
    const { known: to, reason, streakStartMs, lastOkMs } = saved;
    if (from === to) return;
    const count = to === 'failed' ? saved.consecutiveFailed : saved.consecutiveOk;
    const why = reason === undefined ? {} : { reason };
    this.#emit(target, { from, to, ...why, atMs: wallMs(), streakStartMs, count, lastOkMs });
  }

  /** Ends everything. */
  close(): void {
    for (const target of this.#targets.values()) {
      this.#rest(target);
      target.dropStream();
    }
    this.#targets.clear();
  }

  #freshHandle(): number {
    do this.#lastHandle = this.#lastHandle === MAX_HANDLE ? 1 : this.#lastHandle + 1;
    while (this.#targets.has(this.#lastHandle));
    return this.#lastHandle;
  }

  #startFromNow(target: RegisteredTarget): void {
    const { phase, timing, thresholds } = target;
    this.#startAt(target, phase.startFrom(timing, thresholds.periodMs(timing), monoMs()));
  }

  #startAt(target: RegisteredTarget, atMs: number): void {
    const { timers } = this.#parts;
    if (target.timer !== undefined) timers.cancel(target.timer);
    target.scheduledMs = atMs;
    target.timer = timers.arm(atMs, () => this.#due(target));
  }

  /** The schedule of a target says now. */
  #due(target: RegisteredTarget): void {
    const { timeoutMs } = target.timing;
    target.timer = undefined;
    target.probe = this.#parts.runner.submit({
      check: target.check,
      timeoutMs,
      debug: false,
      first: false,
      scheduledMs: target.scheduledMs,
      keeper: target,
      ended: ({ outcome }, durationMs) => {
        target.probe = undefined;
        this.#parts.runner.parts.stats.finished(target.check.kind, outcome, durationMs);
        this.#observe(target, outcome, durationMs);
      },
    });
    if (target.check.kind !== 'external') return;
    const { handle, epoch } = target;
    this.#parts.outbox.due({ type: 'due', handle, epoch, deadlineMs: wallMs() + timeoutMs });
  }

  #observe(target: RegisteredTarget, outcome: Outcome, durationMs: number): void {
    const { timing, thresholds, phase } = target;
    target.lastDurationMs = durationMs;
    const change = thresholds.observe(outcome, wallMs(), timing, this.#parts.blindAfter);
    if (change !== undefined) this.#emit(target, change);
    const periodMs = thresholds.periodMs(timing);
    this.#startAt(target, phase.nextStart(timing, periodMs, target.scheduledMs, monoMs()));
  }

  #emit(target: RegisteredTarget, change: Change): void {
    const { handle, epoch, lastDurationMs: durationMs } = target;
    this.#parts.outbox.transition({ type: 'transition', handle, epoch, ...change, durationMs, coalesced: 0 });
  }

  /** Takes a target out of its schedule, whatever it is doing. */
  #rest(target: RegisteredTarget): void {
    if (target.timer !== undefined) this.#parts.timers.cancel(target.timer);
    target.timer = undefined;
    target.probe?.cancel();
    target.probe = undefined;
    this.#processes.unwatch(target.handle);
  }

  /** Waits for the end of a target's process; one that ended already is told at once. */
  #watchProcess(target: RegisteredTarget): void {
    if (target.check.kind !== 'vmmProcess') return;
    if (target.check.process.hasEnded) this.#processEnded(target);
    else this.#processes.watch(target.handle, target.check.process);
  }

  /** Dead is dead: no threshold applies. */
  #processEnded(target: RegisteredTarget): void {
    target.lastDurationMs = 0;
    const change = target.thresholds.failAtOnce({ result: 'failed', reason: 'process-gone' }, wallMs());
    if (change !== undefined) this.#emit(target, change);
  }
}
