import { LOOK_AGAIN_MS } from '../../model/clock.js';

/**
 * The one alarm of a policy, as `Clock.at` rings it: a timer, which a step of the wall clock does not move. Times are of the
 * wall clock as it is now.
 */
export class Alarm {
  #atMs: number | null = null;
  #armedMs = 0;
  #looksMs = 0;
  #isFar = false;

  /** When its timer is next over; null: it is not set. */
  get nextMs(): number | null {
    return this.#atMs === null ? null : this.#looksMs;
  }

  /** When its timer was started: of two that are over at once the earlier one comes first. */
  get armedMs(): number {
    return this.#armedMs;
  }

  /** The policy wants to be asked then. One that is set to the same time runs on. */
  set(atMs: number | null, nowMs: number): void {
    if (atMs === this.#atMs) return;
    this.#atMs = atMs;
    if (atMs !== null) this.#arm(atMs, nowMs);
  }

  /** Its timer is over. Whether it rings; one that is far off looks at the clock, and may go on. */
  rings(nowMs: number): boolean {
    if (this.#atMs === null) return false;
    if (this.#isFar && nowMs < this.#atMs) {
      this.#arm(this.#atMs, nowMs);
      return false;
    }
    this.#atMs = null;
    return true;
  }

  /** The wall clock was set. */
  shift(byMs: number): void {
    this.#armedMs += byMs;
    this.#looksMs += byMs;
  }

  #arm(atMs: number, nowMs: number): void {
    const delayMs = Math.max(0, atMs - nowMs);
    this.#armedMs = nowMs;
    this.#isFar = delayMs > LOOK_AGAIN_MS;
    this.#looksMs = nowMs + Math.min(delayMs, LOOK_AGAIN_MS);
  }
}
