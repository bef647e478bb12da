import type { Timeline } from './timeline.js';

/** How long at least one of several reasons has held. True time. */
export class Stopwatch {
  readonly #timeline: Timeline;
  readonly #reasons = new Set<string>();
  #sinceMs = 0;
  #totalMs = 0;
  #endedAtMs = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  begin(reason: string): void {
    if (this.#reasons.size === 0) this.#sinceMs = this.#timeline.nowMs;
    this.#reasons.add(reason);
  }

  end(reason: string): void {
    if (!this.#reasons.delete(reason) || this.#reasons.size > 0) return;
    this.#endedAtMs = this.#timeline.nowMs;
    this.#totalMs += this.#endedAtMs - this.#sinceMs;
  }

  get runs(): boolean {
    return this.#reasons.size > 0;
  }

  has(reason: string): boolean {
    return this.#reasons.has(reason);
  }

  /** When none held any more, for the last time; 0: never any did. */
  get endedAtMs(): number {
    return this.#endedAtMs;
  }

  get totalMs(): number {
    return this.#totalMs + (this.runs ? this.#timeline.nowMs - this.#sinceMs : 0);
  }
}
