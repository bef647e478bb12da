/** Work that is done one at a time, in the order in which it came; what fails holds nothing up. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work once all that came before is over; resolves or rejects as it does. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves once all that came until now is over. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
