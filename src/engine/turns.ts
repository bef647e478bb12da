/** How long things are handed over before the event loop gets its turn, ms. */
export const TURN_MS = 4;
/** How many answers are handed over between two looks at the clock: what follows from one may take a millisecond. */
const STEP = 4;

/**
 * Hands items over in order, for a bounded time in one turn of the event loop. A mass outage brings ten thousands of
 * answers at once; the host program has other things to do meanwhile.
 */
export class Turns<T> {
  readonly #hand: (item: T) => void;
  /** What waits, as it came; of the first, those before `#next` have been handed over. */
  readonly #waiting: (readonly T[])[] = [];
  #next = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #busy = false;

  constructor(hand: (item: T) => void) {
    this.#hand = hand;
  }

  push(items: readonly T[]): void {
    if (items.length === 0) return;
    this.#waiting.push(items);
    if (!this.#busy && this.#scheduled === undefined) void this.#turn();
  }

  /** Drops what waits. */
  end(): void {
    this.#waiting.length = 0;
    this.#next = 0;
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  async #turn(): Promise<void> {
    this.#scheduled = undefined;
    this.#busy = true;
    const untilMs = performance.now() + TURN_MS;
    while (this.#waiting.length > 0 && performance.now() < untilMs) {
      for (const item of this.#take()) this.#hand(item);
      // What is handed over resolves promises: what follows from that runs now, and is timed.
      await null;
    }
    this.#busy = false;
    if (this.#waiting.length > 0) this.#scheduled = setImmediate(() => void this.#turn());
  }

  #take(): readonly T[] {
    const [first = []] = this.#waiting;
    const items = first.slice(this.#next, this.#next + STEP);
    this.#next += STEP;
    if (this.#next >= first.length) {
      this.#waiting.shift();
      this.#next = 0;
    }
    return items;
  }
}
