import type { ExpectedEvent } from './reboot-by-agent.js';

/** Events of one VMM that somebody waits for. */
export class ExpectedEvents {
  readonly #entries = new Set<{ readonly name: string; readonly resolve: (data: unknown) => void }>();

  /** The next event of that name; to be called before what causes it, and cancelled in any case. */
  expect(name: string): ExpectedEvent {
    let cancel = () => {};
    const seen = new Promise<unknown>((resolve) => {
      const entry = { name, resolve };
      this.#entries.add(entry);
      cancel = () => this.#entries.delete(entry);
    });
    return { seen, cancel: () => cancel() };
  }

  /** It has come: everybody who waits for it hears of it, once. */
  settle(name: string, data: unknown): void {
    for (const entry of this.#entries) {
      if (entry.name !== name) continue;
      this.#entries.delete(entry);
      entry.resolve(data);
    }
  }
}
