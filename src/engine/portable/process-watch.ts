import type { ProcessIdentity } from './process-state.js';

/** How often the ends of processes are looked for; Node cannot wait for a pidfd. */
const LOOK_MS = 200;

/** Finds the ends of processes between the probes that look at them anyway. */
export class ProcessWatch {
  readonly #watched = new Map<number, ProcessIdentity>();
  readonly #ended: (handle: number) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `ended` is called once for each that is watched. */
  constructor(ended: (handle: number) => void) {
    this.#ended = ended;
  }

  watch(handle: number, process: ProcessIdentity): void {
    this.#watched.set(handle, process);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Idempotent. */
  unwatch(handle: number): void {
    this.#watched.delete(handle);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [handle, process] of [...this.#watched]) {
      if (!process.hasEnded) continue;
      this.unwatch(handle);
      this.#ended(handle);
    }
  }
}
