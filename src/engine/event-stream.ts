import { VmpulseError } from '../model/errors.js';
import type { EventList } from './backend.js';
import type { EngineEvent } from './probe-engine.js';
import { TURN_MS } from './turns.js';

/** Largest batch: so many events are handled between two looks at the clock, and one may take a millisecond. */
const MAX_BATCH = 8;

type Batch = readonly EngineEvent[];

/**
 * The one consumer's side of the events: pulls from the engine when asked, and waits when there is nothing. However much
 * there is, after TURN_MS the event loop comes round before the consumer goes on.
 */
export class EventStream implements AsyncIterableIterator<Batch> {
  readonly #collect: () => void;
  readonly #onEnd: () => void;
  readonly #signal: AbortSignal | undefined;
  /** What was pulled; of the first, those before `#given` were given. */
  readonly #pulled: EventList[] = [];
  #given = 0;
  #turnUntilMs = 0;
  /** The consumer goes on in the next turn. */
  #nextTurn: NodeJS.Immediate | undefined;
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

  /** Someone waits for a batch. One who has to wait for the next turn asks by himself. */
  get hungry(): boolean {
    return this.#waiting !== undefined && this.#nextTurn === undefined;
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
      if (performance.now() < this.#turnUntilMs) this.#serve();
      else this.#nextTurn ??= setImmediate(() => this.#beginTurn());
    });
  }

  return(): Promise<IteratorResult<Batch>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  push(events: EventList): void {
    if (events.length > 0) this.#pulled.push(events);
    if (!this.hungry) return;
    const now = performance.now();
    if (now >= this.#turnUntilMs) this.#turnUntilMs = now + TURN_MS;
    this.#give();
  }

  /** Ends the iteration; what was pulled already is still given. */
  readonly end = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.end);
    this.#onEnd();
    this.#give();
  };

  [Symbol.asyncIterator](): this {
    return this;
  }

  #beginTurn(): void {
    this.#nextTurn = undefined;
    this.#turnUntilMs = performance.now() + TURN_MS;
    this.#serve();
  }

  #serve(): void {
    if (!this.#ended && this.#pulled.length === 0) this.#collect();
    this.#give();
  }

  #give(): void {
    const resolve = this.#waiting;
    if (resolve === undefined) return;
    const [first] = this.#pulled;
    if (first === undefined && !this.#ended) return;
    this.#waiting = undefined;
    resolve(
      first === undefined ? { done: true, value: undefined } : { done: false, value: this.#take(first) },
    );
  }

  #take(first: EventList): Batch {
    const batch = first.slice(this.#given, this.#given + MAX_BATCH);
    this.#given += batch.length;
    if (this.#given >= first.length) {
      this.#pulled.shift();
      this.#given = 0;
    }
    return batch;
  }
}
