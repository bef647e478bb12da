import { monoMs } from './clock.js';

const LEAST_LOOK_MS = 5;

/** Knows how long this thread was kept from looking at its sockets while probes were in flight. */
export class LoopWatch {
  readonly #lookMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;
  #starvedMs = 0;

  /** `lateMs`: what counts as late; the watch looks ten times as often. */
  constructor(lateMs: number) {
    this.#lookMs = Math.max(lateMs / 10, LEAST_LOOK_MS);
  }

  /** Total so far, ms. The difference over a probe says whether its time-out can be believed. */
  get starvedMs(): number {
    return this.#starvedMs;
  }

  /** Watches, or not: only while something is awaited. */
  watch(isNeeded: boolean): void {
    if (isNeeded === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!isNeeded) return;
    this.#lastMs = monoMs();
    this.#timer = setInterval(() => this.#look(), this.#lookMs);
    this.#timer.unref();
  }

  #look(): void {
    const nowMs = monoMs();
    // A look that is late by less than its own period is the ordinary jitter of timers.
    this.#starvedMs += Math.max(0, nowMs - this.#lastMs - 2 * this.#lookMs);
    this.#lastMs = nowMs;
  }
}
