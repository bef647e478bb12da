const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Keeps the process alive while there is a reason to, or as the user said. */
export class KeepAlive {
  #reason = false;
  #choice: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** There is, or is no more, something to wait for. */
  because(reason: boolean): void {
    this.#reason = reason;
    this.#apply();
  }

  /** The user's word goes before any reason. */
  choose(keep: boolean): void {
    this.#choice = keep;
    this.#apply();
  }

  end(): void {
    this.#reason = false;
    this.#choice = false;
    this.#apply();
  }

  #apply(): void {
    const keep = this.#choice ?? this.#reason;
    if (keep && this.#timer === undefined) {
      // A timer that does nothing: it holds the event loop.
      this.#timer = setInterval(() => {}, LONGEST_TIMER_MS);
    } else if (!keep && this.#timer !== undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}
