import type { VmmEvent } from '../../model/ports.js';

const MAX_KEPT_EVENTS = 256;

type Listener = (event: VmmEvent, atMs: number) => void;

/**
 * Gives the events of a VMM to one listener; what came before it is kept, the newest of it. A listener that throws stops
 * nobody who reads them: its error surfaces as an uncaught one.
 */
export class EventRelay {
  readonly #kept: { readonly event: VmmEvent; readonly atMs: number }[] = [];
  #listener: Listener | undefined;

  listen(listener: Listener): void {
    this.#listener = listener;
    for (const { event, atMs } of this.#kept.splice(0)) call(listener, event, atMs);
  }

  tell(event: VmmEvent | undefined, atMs: number): void {
    if (event === undefined) return;
    if (this.#listener) {
      call(this.#listener, event, atMs);
      return;
    }
    this.#kept.push({ event, atMs });
    if (this.#kept.length > MAX_KEPT_EVENTS) this.#kept.shift();
  }
}

function call(listener: Listener, event: VmmEvent, atMs: number): void {
  try {
    listener(event, atMs);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
