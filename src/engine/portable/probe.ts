import { monoMs } from './clock.js';
import type { Machine, Order, Runner } from './runner.js';
import type { Timer } from './timers.js';
import { outcomeOf, type Verdict } from './verdict.js';

/** A probe from its order to its verdict. */
export class Probe {
  readonly #runner: Runner;
  readonly #order: Order;
  #state: 'queued' | 'running' | 'over' = 'queued';
  #machine: Machine | undefined;
  #timer: Timer | undefined;
  #lastLook: NodeJS.Immediate | undefined;
  /** Gives back its place in the queue. */
  #release: () => void = () => {};
  #startedMs = 0;
  #deadlineMs = 0;
  /** The loop's starvation when it began. */
  #starvedMs = 0;

  constructor(runner: Runner, order: Order) {
    this.#runner = runner;
    this.#order = order;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Its turn has come. False: nobody wants it any more. `release` is called when it ended. */
  start(release: () => void = () => {}): boolean {
    if (this.#state !== 'queued') return false;
    const { timers, stats, loop } = this.#runner.parts;
    const { timeoutMs, scheduledMs } = this.#order;
    this.#state = 'running';
    this.#release = release;
    this.#startedMs = monoMs();
    this.#deadlineMs = this.#startedMs + timeoutMs;
    this.#starvedMs = loop.starvedMs;
    stats.started(scheduledMs === undefined ? 0 : Math.max(0, this.#startedMs - scheduledMs));
    this.#runner.mark(this, true);
    this.#timer = timers.arm(this.#deadlineMs, () => this.#onDeadline());
    const begun = this.#runner.begin(this.#order, (verdict) => this.#end(verdict));
    if ('outcome' in begun) this.#end(begun, 0);
    else this.#machine = begun;
    return true;
  }

  /** Ends it with a verdict from outside. */
  report(verdict: Verdict, durationMs: number): void {
    this.#machine?.stop();
    this.#end(verdict, durationMs);
  }

  /** Ends it without a verdict. Idempotent. */
  cancel(): void {
    if (!this.#leave()) return;
    this.#machine?.stop();
  }

  /** What became ready in the meantime counts, so the loop looks once more before a time-out is said. */
  #onDeadline(): void {
    this.#lastLook = setImmediate(() => {
      const { loop, lateMs } = this.#runner.parts;
      if (loop.starvedMs - this.#starvedMs > lateMs) {
        this.#machine?.stop();
        this.#end({ outcome: outcomeOf('prober-late') });
      } else this.#machine?.timeOut();
    });
  }

  #end(verdict: Verdict, durationMs = monoMs() - this.#startedMs): void {
    if (!this.#leave()) return;
    // Seen so late that nobody can say whether it came in time.
    const isLate = monoMs() > this.#deadlineMs + this.#runner.parts.lateMs;
    this.#order.ended(isLate ? { ...verdict, outcome: outcomeOf('prober-late') } : verdict, durationMs);
  }

  /** False: it was over already. */
  #leave(): boolean {
    const wasRunning = this.#state === 'running';
    if (this.#state === 'over') return false;
    this.#state = 'over';
    if (!wasRunning) return true;
    if (this.#timer !== undefined) this.#runner.parts.timers.cancel(this.#timer);
    clearImmediate(this.#lastLook);
    this.#runner.mark(this, false);
    this.#release();
    return true;
  }
}
