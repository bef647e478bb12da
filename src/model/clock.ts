/** Time as a port, so that tests and the simulator can own it. */
export interface Clock {
  /** Wall-clock milliseconds since the epoch. Used for everything that is stored or shown. */
  now(): number;
  /** Runs `fn` once at `atMs` (wall clock) or as soon as possible after it. Returns the cancel function. */
  at(atMs: number, fn: () => void): () => void;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The real clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  at(atMs, fn) {
    // A timer that is due makes Node run timers on and on, without a look at sockets, for as long as each asks for the next.
    if (atMs <= Date.now()) {
      const immediate = setImmediate(fn);
      return () => clearImmediate(immediate);
    }
    let timer: NodeJS.Timeout;
    const arm = () => {
      const delayMs = Math.max(0, atMs - Date.now());
      timer = setTimeout(() => (delayMs > MAX_TIMEOUT_MS ? arm() : fn()), Math.min(delayMs, MAX_TIMEOUT_MS));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
