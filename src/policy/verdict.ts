import type { Diagnosis } from '../model/health.js';
import type { ConcludedKind } from './rules.js';
/** A diagnosis of a kind that is concluded today. */
export interface Concluded extends Diagnosis {
  readonly kind: ConcludedKind;
}

/** What the failure means, and how sure that is. */
export interface Verdict {
  diagnosis: Concluded;
  /** From a dead process, a panic or a watchdog; anything else is inferred and must be fresh to act on. */
  conclusive: boolean;
  /** `alert`: people are told and nothing is done; `wait`: not for long enough yet. */
  remedy: 'ladder' | 'alert' | 'wait';
  /** When a fresh look, or the event, said so. */
  atMs: number;
}
