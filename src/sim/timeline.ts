interface Entry {
  readonly atMs: number;
  readonly order: number;
  /** Null: withdrawn. */
  run: (() => void) | null;
}

/** So many waits for promises to a turn of the event loop. */
const TURN_EVERY = 1_000;

const SETTLED = Promise.resolve();

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

  /** Lets time pass up to and including `untilMs`. Rejects with what something that happens throws. */
  run(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const goOn = () => {
        try {
          if (this.#advance(untilMs)) resolve();
          else this.#whenSettled(goOn);
        } catch (error) {
          reject(error);
        }
      };
      // What is begun here and not in a promise would run before promises that are settled already.
      void SETTLED.then(goOn);
    });
  }

  /** Lets things happen until one of them settles promises (false), or until then (true). */
  #advance(untilMs: number): boolean {
    for (let top = this.#heap[0]; !this.#stirred; top = this.#heap[0]) {
      if (top === undefined || top.atMs > untilMs) {
        this.#nowMs = untilMs;
        return true;
      }
      this.#pop();
      if (top.run === null) continue;
      this.#nowMs = top.atMs;
      this.#handled += 1;
      top.run();
    }
    return false;
  }

  /**
   * Nothing but promises is between two events. What is given to nextTick while promises are carried out runs once all
   * of them are over, those included that come about meanwhile; a turn of the event loop would say the same, and take
   * longer than what it waits for. From time to time there is one all the same, for signals and finalizers. It goes on
   * as a promise does: ticks that are asked for in a tick do not wait for promises.
   */
  #whenSettled(goOn: () => void): void {
    this.#stirred = false;
    this.#settled += 1;
    const asPromise = () => void SETTLED.then(goOn);
    if (this.#settled % TURN_EVERY === 0) setImmediate(asPromise);
    else process.nextTick(asPromise);
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
