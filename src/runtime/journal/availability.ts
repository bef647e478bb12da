import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { CallOptions, Journal } from '../../model/ports.js';

/** Whether writes reach the disk at the moment. */
export type Availability =
  | {
      readonly available: true;
      readonly sinceMs: number;
      /** What was written before is gone, and no person has accepted that yet: what was found instead. */
      readonly lost?: string;
    }
  | { readonly available: false; readonly sinceMs: number; readonly error: VmpulseError };

/** A journal that tells when it was lost, when writing begins to fail and when it works again. */
export interface ObservableJournal extends Journal {
  readonly availability: Availability;
  /** Calls `listener` at every change; returns the function that withdraws it. */
  onAvailability(listener: (availability: Availability) => void): () => void;
  /** A person goes on although what was written before is gone. Where nothing is, nothing happens. */
  acceptLoss(options: CallOptions): Promise<void>;
}

/** Whether the journal works now, and who wants to hear when that changes. */
export class AvailabilityState {
  #current: Availability = { available: true, sinceMs: Date.now() };
  readonly #listeners = new Set<(availability: Availability) => void>();

  get current(): Availability {
    return this.#current;
  }

  /** What of an earlier journal is gone, while this one works. */
  get lost(): string | undefined {
    return lostOf(this.#current);
  }

  onChange(listener: (availability: Availability) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  works(lost: string | null): void {
    this.#set({ available: true, sinceMs: Date.now(), ...(lost === null ? {} : { lost }) });
  }

  /** Returns the error as it is told. */
  fails(error: unknown): VmpulseError {
    const coded = isVmpulseError(error)
      ? error
      : new VmpulseError('ERR_VMPULSE_JOURNAL', errorMessage(error), { cause: error });
    this.#set({ available: false, sinceMs: Date.now(), error: coded });
    return coded;
  }

  #set(next: Availability): void {
    const before = this.#current;
    const sinceMs = before.available === next.available ? before.sinceMs : next.sinceMs;
    this.#current = { ...next, sinceMs };
    const isSame = before.available === next.available && lostOf(before) === lostOf(next);
    if (isSame) return;
    for (const listener of this.#listeners) listener(this.#current);
  }
}

function lostOf(availability: Availability): string | undefined {
  return availability.available ? availability.lost : undefined;
}
