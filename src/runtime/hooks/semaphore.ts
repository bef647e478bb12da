/** Lets so many run at once; the others wait, in order. */
export class Semaphore {
  #most: number;
  #used = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  resize(most: number): void {
    this.#most = most;
    this.#next();
  }

  /** Runs it once there is a place for it. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#used -= 1;
      this.#next();
    }
  }

  #next(): void {
    while (this.#used < this.#most) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      this.#used += 1;
      begin();
    }
  }
}
