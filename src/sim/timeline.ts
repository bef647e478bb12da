interface Entry {
  readonly atMs: number;
  readonly order: number;
  /** Null: withdrawn. */
  run: (() => void) | null;
}

/** So many waits for promises to a turn of the event loop. */
const TURN_EVERY = 1_000;

/**
 * True time of a simulation, and everything that is to happen in it. What falls on the same moment happens in the
 * order in which it was asked for.
 */
export class Timeline {
  readonly #heap: Entry[] = [];
  #nowMs: number;
  #order = 0;
  #handled = 0;
  #settled = 0;
  /** Somebody was given something to do that goes on in promises. */
  #stirred = false;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Things that have happened so far. */
  get handled(): number {
    return this.#handled;
  }

  /** Runs `run` once then, or as soon as possible where that has passed. Returns the function that withdraws it. */
  at(atMs: number, run: () => void): () => void {
    const entry: Entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, run };
    this.#push(entry);
    return () => {
      entry.run = null;
    };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** Says that promises have been settled: time stands still until everything that waits for them has gone on. */
  stir(): void {
    this.#stirred = true;
  }

  /** Lets time pass up to and including `untilMs`. */
  async run(untilMs: number): Promise<void> {
    // What is begun here and not in a promise would run before promises that are settled already.
    await Promise.resolve();
    await this.#settle();
    for (let top = this.#heap[0]; top !== undefined && top.atMs <= untilMs; top = this.#heap[0]) {
      this.#pop();
      if (top.run === null) continue;
      this.#nowMs = top.atMs;
      this.#handled += 1;
      top.run();
      await this.#settle();
    }
    this.#nowMs = untilMs;
  }

  /**
   * Nothing but promises is between two events. What is given to nextTick while promises are carried out runs once all
   * of them are over, those included that come about meanwhile; a turn of the event loop would say the same, and take
   * longer than what it waits for. From time to time there is one all the same, for signals and finalizers.
   */
  async #settle(): Promise<void> {
    while (this.#stirred) {
      this.#stirred = false;
      this.#settled += 1;
      if (this.#settled % TURN_EVERY === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      else await new Promise<void>((resolve) => process.nextTick(resolve));
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child++;
      const smaller = heap[child];
      if (smaller === undefined || !before(smaller, last)) break;
      heap[i] = smaller;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
