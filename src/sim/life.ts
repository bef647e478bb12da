import { type Clock, runAt } from '../model/clock.js';
import type { Timeline } from './timeline.js';

/** One run of a daemon, from start to crash. What it waits for when it dies never comes. */
export class Life implements Clock {
  alive = true;
  readonly #timeline: Timeline;
  readonly #wallMs: () => number;

  constructor(timeline: Timeline, wallMs: () => number) {
    this.#timeline = timeline;
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs();
  }

  monotonic(): number {
    return this.#timeline.nowMs;
  }

  /** As the system's timers: a step of the wall clock does not move one that runs. */
  at(atMs: number, fn: () => void): () => void {
    const run = () => this.#go(fn);
    return runAt(atMs, run, this.#wallMs, (delayMs, look) => this.#timeline.after(delayMs, look));
  }

  later(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#timeline.after(delayMs, () => this.#go(resolve)));
  }

  #go(what: () => void): void {
    if (!this.alive) return;
    this.#timeline.stir();
    what();
  }
}
