/** How long after a write the history is pruned, ms. */
const DELAY_MS = 2_000;
/** Between two steps, so that writes come in between, ms. */
const PAUSE_MS = 20;

/** Removes old history in small steps, some time after the last cause to. Its timers do not keep the process alive. */
export class Pruner {
  readonly #step: () => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;

  /** `step` removes a little and tells whether there is more. */
  constructor(step: () => Promise<boolean>) {
    this.#step = step;
  }

  soon(): void {
    this.#arm(DELAY_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#step().then(
        (more) => {
          if (more) this.#arm(PAUSE_MS);
        },
        // A failing disk shows at the next write, which is retried; pruning comes back after it.
        () => {},
      );
    }, delayMs).unref();
  }
}
