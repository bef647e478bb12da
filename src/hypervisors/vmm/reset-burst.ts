/** Resets closer together than this belong to one … */
const BURST_QUIET_MS = 1_000;
/** … unless it goes on for this long: then the guest resets over and over, which is worth telling. */
const BURST_MAX_MS = 5_000;

/** One reset gives one event or more than a hundred: the first of a burst counts. */
export class ResetBurst {
  #startMs = Number.NEGATIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;

  isNew(atMs: number): boolean {
    const isBurst = atMs - this.#lastMs < BURST_QUIET_MS && atMs - this.#startMs < BURST_MAX_MS;
    this.#lastMs = atMs;
    if (!isBurst) this.#startMs = atMs;
    return !isBurst;
  }
}
