import { VmpulseError } from '../model/errors.js';
import type { EngineEvent } from './probe-engine.js';
import { TURN_MS } from './turns.js';

/** Largest batch; of those that come together, the event loop has its turn between some. */
const MAX_BATCH = 128;

type Batch = readonly EngineEvent[];

/** The one consumer's side of the events: pulls from the engine when asked, and waits when there is nothing. */
export class EventStream implements AsyncIterableIterator<Batch> {
  readonly #collect: () => void;
  readonly #onEnd: () => void;
  readonly #signal: AbortSignal | undefined;
  #rest: Batch = [];
  /** So many of the rest were given. */
  #given = 0;
  #turnUntilMs = 0;
  #waiting: ((result: IteratorResult<Batch>) => void) | undefined;
  #ended = false;

  /** `collect` makes the engine call `push`, if there is something. */
  constructor(collect: () => void, onEnd: () => void, signal: AbortSignal | undefined) {
    this.#collect = collect;
    this.#onEnd = onEnd;
    this.#signal = signal;
    signal?.addEventListener('abort', this.end, { once: true });
    if (signal?.aborted === true) this.end();
  }

  /** Someone waits for a batch. */
  get hungry(): boolean {
    return this.#waiting !== undefined;
  }

  next(): Promise<IteratorResult<Batch>> {
    if (this.#waiting !== undefined) {
      return Promise.reject(
        new VmpulseError(
          'ERR_VMPULSE_ARGUMENT',
          'transitions() has one consumer; await each next() before the next one',
        ),
      );
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
      if (this.#given > 0 && performance.now() > this.#turnUntilMs) {
        setImmediate(() => {
          this.#turnUntilMs = performance.now() + TURN_MS;
          this.#flush();
        });
        return;
      }
      if (this.#given === 0) this.#turnUntilMs = performance.now() + TURN_MS;
      if (!this.#ended && this.#rest.length === 0) this.#collect();
      this.#flush();
    });
  }

  return(): Promise<IteratorResult<Batch>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  push(events: Batch): void {
    this.#rest = this.#rest.length === 0 ? events : [...this.#rest.slice(this.#given), ...events];
    this.#given = 0;
    this.#flush();
  }

  /** Ends the iteration; what was pulled already is still given. */
  readonly end = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.end);
    this.#onEnd();
    this.#flush();
  };

  [Symbol.asyncIterator](): this {
    return this;
  }

  #flush(): void {
    const resolve = this.#waiting;
    if (resolve === undefined) return;
    if (this.#rest.length > 0) {
      this.#waiting = undefined;
      const batch = this.#rest.slice(this.#given, this.#given + MAX_BATCH);
      this.#given += batch.length;
      if (this.#given === this.#rest.length) {
        this.#rest = [];
        this.#given = 0;
      }
      resolve({ done: false, value: batch });
    } else if (this.#ended) {
      this.#waiting = undefined;
      resolve({ done: true, value: undefined });
    }
  }
}
