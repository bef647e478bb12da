/** Time as a port, so that tests and the simulator can own it. */
export interface Clock {
  /** Wall-clock milliseconds since the epoch. Used for everything that is stored or shown. */
  now(): number;
  /** Milliseconds that only go forward, from some start: what is left of time when the wall clock is set. */
  monotonic(): number;
  /**
   * Runs `fn` once at `atMs` (wall clock) or as soon as possible after it; within a minute where the clock is set past it.
   * Returns the cancel function.
   */
  at(atMs: number, fn: () => void): () => void;
}

/** The wall clock may be set while a timer runs: one that is far off is looked at so often. */
export const LOOK_AGAIN_MS = 60_000;

/** The real clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  at(atMs, fn) {
    // A timer that is due makes Node run timers on and on, without a look at sockets, for as long as each asks for the next.
    if (atMs <= Date.now()) {
      const immediate = setImmediate(fn);
      return () => clearImmediate(immediate);
    }
    return runAt(atMs, fn, Date.now, (delayMs, look) => {
      const timer = setTimeout(look, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    });
  },
};

/** `Clock.at` by timers that know delays only; `after` starts one, and returns what cancels it. */
export function runAt(
  atMs: number,
  fn: () => void,
  now: () => number,
  after: (delayMs: number, look: () => void) => () => void,
): () => void {
  let cancel: () => void;
  const arm = () => {
    const delayMs = Math.max(0, atMs - now());
    const look = () => (delayMs > LOOK_AGAIN_MS && now() < atMs ? arm() : fn());
    cancel = after(Math.min(delayMs, LOOK_AGAIN_MS), look);
  };
  arm();
  return () => cancel();
}
