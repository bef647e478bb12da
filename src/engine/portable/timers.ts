import { monoMs } from './clock.js';

/** A timer that was armed. */
export interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
  /** Its place in the heap, or one of the two below. Kept by `Timers`. */
  at: number;
}

/** Fired or cancelled. */
const OVER = -1;
/** Taken out of the heap to be fired in this turn. */
const DUE = -2;

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * All timers of an engine in one heap, behind one timer of Node. Instants are rounded up to a tick, so that what is
 * due at about the same time costs one wake-up. Never keeps the process alive.
 */
export class Timers {
  readonly #tickMs: number;
  readonly #heap: Timer[] = [];
  #timeout: NodeJS.Timeout | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #firing = false;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Calls `fire` once at an instant of the monotonic clock, or as soon as possible after it. */
  arm(atMs: number, fire: () => void): Timer {
    const tick = Math.ceil(atMs / this.#tickMs) * this.#tickMs;
    const timer: Timer = { atMs: tick, fire, at: this.#heap.length };
    this.#heap.push(timer);
    this.#up(timer.at);
    this.#wake();
    return timer;
  }

  /** Idempotent. */
  cancel(timer: Timer): void {
    if (timer.at >= 0) this.#takeOut(timer);
    timer.at = OVER;
  }

  /** Cancels all. */
  clear(): void {
    for (const timer of this.#heap) timer.at = OVER;
    this.#heap.length = 0;
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    const next = this.#heap[0];
    if (next === undefined || this.#firing || next.atMs >= this.#armedForMs) return;
    clearTimeout(this.#timeout);
    const delayMs = Math.min(Math.max(0, next.atMs - monoMs()), MAX_TIMEOUT_MS);
    this.#timeout = setTimeout(() => this.#fire(), Math.ceil(delayMs));
    this.#timeout.unref();
    this.#armedForMs = next.atMs;
  }

  #fire(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    this.#firing = true;
    // What is armed meanwhile for now or earlier waits for the next turn, so that a turn ends.
    const nowMs = monoMs();
    const due: Timer[] = [];
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= nowMs; next = this.#heap[0]) {
      this.#takeOut(next);
      next.at = DUE;
      due.push(next);
    }
    for (const timer of due) {
      if (timer.at !== DUE) continue;
      timer.at = OVER;
      timer.fire();
    }
    this.#firing = false;
    this.#wake();
  }

  #takeOut(timer: Timer): void {
    const { at } = timer;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#put(at, last);
    this.#up(at);
    this.#down(last.at);
  }

  #up(start: number): void {
    const timer = this.#heap[start];
    if (timer === undefined) return;
    let at = start;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above];
      if (other === undefined || other.atMs <= timer.atMs) break;
      this.#put(at, other);
      at = above;
    }
    this.#put(at, timer);
  }

  #down(start: number): void {
    const timer = this.#heap[start];
    if (timer === undefined) return;
    let at = start;
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      const least = right !== undefined && left !== undefined && right.atMs < left.atMs ? right : left;
      if (least === undefined || least.atMs >= timer.atMs) break;
      const below = least.at;
      this.#put(at, least);
      at = below;
    }
    this.#put(at, timer);
  }

  #put(at: number, timer: Timer): void {
    this.#heap[at] = timer;
    timer.at = at;
  }
}
