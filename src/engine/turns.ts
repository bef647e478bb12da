/** How long things are handed over before the event loop gets its turn, ms. */
export const TURN_MS = 10;
/** How many answers are handed over between two looks at the clock. */
const STEP = 16;

/**
 * Hands items over in order, for a bounded time in one turn of the event loop. A mass outage brings ten thousands of
 * answers at once; the host program has other things to do meanwhile.
 */
export class Turns<T> {
  readonly #hand: (item: T) => void;
  #waiting: readonly T[] = [];
  #next = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #busy = false;

  constructor(hand: (item: T) => void) {
    this.#hand = hand;
  }

  push(items: readonly T[]): void {
    if (items.length === 0) return;
    this.#waiting = [...this.#waiting.slice(this.#next), ...items];
    this.#next = 0;
    if (!this.#busy && this.#scheduled === undefined) void this.#turn();
  }

  /** Drops what waits. */
  end(): void {
    this.#waiting = [];
    this.#next = 0;
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  async #turn(): Promise<void> {
    this.#scheduled = undefined;
    this.#busy = true;
    const untilMs = performance.now() + TURN_MS;
    while (this.#next < this.#waiting.length && performance.now() < untilMs) {
      const end = Math.min(this.#waiting.length, this.#next + STEP);
      const items = this.#waiting.slice(this.#next, end);
      this.#next = end;
      for (const item of items) this.#hand(item);
      // What is handed over resolves promises: what follows from that runs now, and is timed.
      await null;
    }
    this.#busy = false;
    if (this.#next < this.#waiting.length) this.#scheduled = setImmediate(() => void this.#turn());
  }
}
