import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { Spool, Spooled } from './spool.js';
import { Undelivered } from './undelivered.js';

const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 900_000;
/** Longest time that a receiver can have us wait. */
const MAX_RETRY_AFTER_MS = 3_600_000;
const SEND_MS = 20_000;
const HOUR_MS = 3_600_000;

export interface OutboxOptions<T> {
  readonly spool: Spool<T>;
  readonly clock: Clock;
  /** Rejects with Undelivered; anything else is taken as one that may be tried again. Ends when the signal fires. */
  readonly send: (entry: Spooled<T>, signal: AbortSignal) => Promise<void>;
  /** Deliveries in any hour, asked each time; unset: as many as there are. */
  readonly perHour?: () => number;
  /** Longest distance of two attempts, ms; default 15 minutes. */
  readonly maxRetryMs?: number;
  /** Given up after this; unset: never, also where it was refused for good. */
  readonly maxAgeMs?: number;
  readonly onSent: (entry: Spooled<T>) => void | Promise<void>;
  /** One attempt did not succeed; `isOver`: it was the last. */
  readonly onFailed: (entry: Spooled<T>, why: string, isOver: boolean) => void;
}

/** Delivers what is in a spool, one at a time, each at its own growing distance: one that fails does not hold up others. */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  readonly #abort = new AbortController();
  /** When deliveries of the last hour were. */
  #sentAtMs: number[] = [];
  #cancelTimer: () => void = () => {};
  #sending: Promise<void> | undefined;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#options.spool.size;
  }

  /** Begins with what is in the spool. */
  start(): void {
    this.#arm();
  }

  /** Resolves once it is on disk. Rejects with what the file system says. */
  async put(entry: Pick<Spooled<T>, 'id' | 'atMs' | 'payload'>): Promise<void> {
    await this.#options.spool.put(entry);
    this.#arm();
  }

  /** Withdraws what is being sent; it waits in the spool for the next run. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer();
    await this.#sending;
  }

  #arm(): void {
    this.#cancelTimer();
    if (this.#abort.signal.aborted || this.#sending !== undefined) return;
    const next = this.#next();
    if (next === undefined) return;
    const atMs = Math.max(next.nextAtMs, this.#freeAtMs());
    this.#cancelTimer = this.#options.clock.at(atMs, () => {
      this.#sending = this.#deliver(next).finally(() => {
        this.#sending = undefined;
        this.#arm();
      });
    });
  }

  #next(): Spooled<T> | undefined {
    const { entries } = this.#options.spool;
    const [first, ...rest] = entries;
    return rest.reduce((best, entry) => (best && best.nextAtMs <= entry.nextAtMs ? best : entry), first);
  }

  /** When the next may be sent, by the limit of an hour. */
  #freeAtMs(): number {
    const { clock } = this.#options;
    const perHour = this.#options.perHour?.();
    if (perHour === undefined) return 0;
    const since = clock.now() - HOUR_MS;
    this.#sentAtMs = this.#sentAtMs.filter((atMs) => atMs > since);
    const [oldest = 0] = this.#sentAtMs.slice(-perHour);
    return this.#sentAtMs.length < perHour ? 0 : oldest + HOUR_MS;
  }

  /** Never rejects. */
  async #deliver(entry: Spooled<T>): Promise<void> {
    const { clock, send, spool, onSent } = this.#options;
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(SEND_MS)]);
      await send(entry, signal);
      this.#sentAtMs.push(clock.now());
      await onSent(entry);
      await spool.remove(entry.id);
    } catch (error) {
      // What was withdrawn may have arrived: it is sent again, under the same id.
      if (!this.#abort.signal.aborted) await this.#failed(entry, error);
    }
  }

  async #failed(entry: Spooled<T>, error: unknown): Promise<void> {
    const { clock, spool, maxAgeMs, onFailed } = this.#options;
    const now = clock.now();
    const isFinal = error instanceof Undelivered && error.isFinal;
    const isOver = maxAgeMs !== undefined && (isFinal || now - entry.atMs > maxAgeMs);
    onFailed(entry, plainText(errorMessage(error), 300), isOver);
    const after = error instanceof Undelivered ? error.retryAfterMs : undefined;
    const longestMs = this.#options.maxRetryMs ?? MAX_RETRY_MS;
    const delayMs = Math.max(backOffMs(entry.attempts, longestMs), Math.min(after ?? 0, MAX_RETRY_AFTER_MS));
    // A disk that is full does not stop the deliveries; the daemon of after it begins with the attempts of before.
    await (isOver ? spool.remove(entry.id) : spool.postpone(entry.id, now + delayMs)).catch(() => {});
  }
}

/** Doubles up to the longest, with up to a fifth more, so that hosts do not come together. */
function backOffMs(attempts: number, longestMs: number): number {
  const plain = Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20));
  return Math.round(plain * (1 + 0.2 * Math.random()));
}
