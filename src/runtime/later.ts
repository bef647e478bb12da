import type { Clock } from '../model/clock.js';

/** Runs something once, some time after it was first wanted; wanting it again meanwhile changes nothing. */
export class Later {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #run: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, delayMs: number, run: () => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#run = run;
  }

  want(): void {
    this.#cancel ??= this.#clock.at(this.#clock.now() + this.#delayMs, () => {
      this.#cancel = undefined;
      this.#run();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
