/** Equal things are made once, and forgotten with their last user. */
export class WeakCache<V extends object> {
  readonly #entries = new Map<string, WeakRef<V>>();
  readonly #registry = new FinalizationRegistry<string>((key) => {
    // A newer one may have taken the place.
    if (this.#entries.get(key)?.deref() === undefined) this.#entries.delete(key);
  });

  get(key: string, make: () => V): V {
    const found = this.#entries.get(key)?.deref();
    if (found !== undefined) return found;
    const made = make();
    this.#entries.set(key, new WeakRef(made));
    this.#registry.register(made, key);
    return made;
  }
}
