import type { VmpulseError } from '../../model/errors.js';
import type { Journal } from '../../model/ports.js';

/** Whether writes reach the disk at the moment. */
export type Availability =
  | { readonly available: true; readonly sinceMs: number }
  | { readonly available: false; readonly sinceMs: number; readonly error: VmpulseError };

/** A journal that tells when writing begins to fail and when it works again. */
export interface ObservableJournal extends Journal {
  readonly availability: Availability;
  /** Calls `listener` at every change; returns the function that withdraws it. */
  onAvailability(listener: (availability: Availability) => void): () => void;
}
