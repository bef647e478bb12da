import type { Clock } from '../model/clock.js';
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

  /** As the system's timers: the delay is computed once, so that a step of the wall clock does not move it. */
  at(atMs: number, fn: () => void): () => void {
    return this.#timeline.after(Math.max(0, atMs - this.#wallMs()), () => this.#go(fn));
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
