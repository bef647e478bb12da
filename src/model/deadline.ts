import type { Clock } from './clock.js';
import { VmpulseError } from './errors.js';
import type { CallOptions } from './ports.js';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A step of the wall clock neither cuts nor stretches a deadline counted on this. */
const monotonicClock: Clock = {
  now: () => performance.now(),
  monotonic: () => performance.now(),
  at(atMs, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(0, atMs - performance.now()), MAX_TIMEOUT_MS));
    return () => clearTimeout(timer);
  },
};

/** One deadline and one AbortSignal for a call that consists of several steps. */
export class Deadline {
  readonly #what: string;
  readonly #clock: Clock;
  readonly #endsAtMs: number;
  readonly #signal: AbortSignal | undefined;

  /** `what` is named in the errors, for example `stop of default/web-1`. */
  constructor(what: string, options: CallOptions, clock: Clock = monotonicClock) {
    this.#what = what;
    this.#clock = clock;
    this.#endsAtMs = clock.now() + options.deadlineMs;
    this.#signal = options.signal;
  }

  /** Milliseconds left, 0 once over. */
  remainingMs(): number {
    return Math.max(0, this.#endsAtMs - this.#clock.now());
  }

  /** Throws ERR_VMPULSE_ABORTED or ERR_VMPULSE_TIMEOUT when there is no time left. */
  check(): void {
    if (this.#signal?.aborted) throw this.#aborted();
    if (this.remainingMs() === 0) throw this.#timeout();
  }

  /** Options for one step: what is left, at most `maxMs`. */
  step(maxMs = Number.POSITIVE_INFINITY): CallOptions {
    this.check();
    const deadlineMs = Math.max(1, Math.min(maxMs, Math.floor(this.remainingMs())));
    return { deadlineMs, ...(this.#signal === undefined ? {} : { signal: this.#signal }) };
  }

  /** A shorter deadline within this one, with the same signal. */
  part(maxMs: number): Deadline {
    return new Deadline(this.#what, this.step(maxMs), this.#clock);
  }

  /** The promise's result, or an error as soon as the time is over; what the promise then does is ignored. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.at(this.#endsAtMs, () => end(() => reject(this.#timeout())));
      const onAbort = () => end(() => reject(this.#aborted()));
      const end = (settle: () => void) => {
        cancel();
        this.#signal?.removeEventListener('abort', onAbort);
        settle();
      };
      this.#signal?.addEventListener('abort', onAbort, { once: true });
      if (this.#signal?.aborted) onAbort();
      promise.then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error)),
      );
    });
  }

  /** Waits; throws if the deadline comes first. */
  async sleep(ms: number): Promise<void> {
    let cancel = () => {};
    const rest = new Promise<void>((resolve) => {
      cancel = this.#clock.at(this.#clock.now() + ms, resolve);
    });
    await this.race(rest).finally(cancel);
  }

  /** Looks every `everyMs` until `look` gives something else than undefined; throws at the deadline. */
  async until<T>(everyMs: number, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    for (;;) {
      this.check();
      const found = await look();
      if (found !== undefined) return found;
      await this.sleep(everyMs);
    }
  }

  #timeout(): VmpulseError {
    return new VmpulseError('ERR_VMPULSE_TIMEOUT', `${this.#what} did not end before its deadline`);
  }

  #aborted(): VmpulseError {
    return new VmpulseError('ERR_VMPULSE_ABORTED', `${this.#what} was withdrawn`, {
      cause: this.#signal?.reason,
    });
  }
}
