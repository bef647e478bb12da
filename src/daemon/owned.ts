import { Deadline } from '../model/deadline.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';

/** Longest wait for one thing to let go, ms. */
const CLOSE_MS = 10_000;

/** What was opened, and how each is let go: latest first. */
export class Owned {
  readonly #logger: Logger;
  readonly #all: { readonly name: string; readonly close: () => unknown }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => unknown): void {
    this.#all.push({ name, close });
  }

  /** Never rejects, and ends in bounded time: what does not let go is told and left. */
  async letGo(): Promise<void> {
    for (const { name, close } of this.#all.toReversed()) {
      const deadline = new Deadline(`the end of the ${name}`, { deadlineMs: CLOSE_MS });
      await deadline.race(Promise.resolve().then(close)).catch((error: unknown) => {
        this.#logger.error({ error: errorMessage(error) }, `the ${name} did not end well`);
      });
    }
  }
}
