/** How long after a write the history is pruned, ms. */
const DELAY_MS = 2_000;
/** Between two steps, so that writes come in between, ms. */
const PAUSE_MS = 20;
/** Without any write: what is there grows old all the same, ms. */
const REST_MS = 3_600_000;

/** Removes old history in small steps, some time after the last cause to, and from time to time. Its timers do not keep the process alive. */
export class Pruner {
  readonly #step: () => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;
  /** Nothing has to be done soon. */
  #rests = true;
  #stopped = false;

  /** `step` removes a little and tells whether there is more. */
  constructor(step: () => Promise<boolean>) {
    this.#step = step;
  }

  soon(): void {
    if (!this.#rests) return;
    this.#rests = false;
    this.#arm(DELAY_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // A failing disk shows at the next write, which is retried; pruning comes back after it.
      this.#step().then(
        (more) => this.#stepped(more),
        () => this.#stepped(false),
      );
    }, delayMs).unref();
  }

  #stepped(more: boolean): void {
    this.#rests = !more;
    this.#arm(more ? PAUSE_MS : REST_MS);
  }
}
