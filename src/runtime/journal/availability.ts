import type { VmpulseError } from '../../model/errors.js';
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
