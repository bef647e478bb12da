import type { Clock } from '../model/clock.js';

const PERIOD_MS = 2_000;
/** A VMM that ends within this of an OOM kill was most likely it. */
const OOM_MS = 5_000;

/** Whether the kernel has just ended processes for want of memory, by its count of them. */
export class OomWatch {
  readonly #read: () => number;
  readonly #clock: Clock;
  #kills: number;
  #killedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(read: () => number, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
    this.#kills = read();
  }

  /** Counts from time to time, so that a kill is known to be old when it is. */
  start(): void {
    this.hasJustKilled();
    this.#cancel = this.#clock.at(this.#clock.now() + PERIOD_MS, () => this.start());
  }

  stop(): void {
    this.#cancel();
  }

  hasJustKilled(): boolean {
    const now = this.#clock.now();
    const kills = this.#read();
    if (kills > this.#kills) this.#killedAtMs = now;
    this.#kills = kills;
    return now - this.#killedAtMs <= OOM_MS;
  }
}
