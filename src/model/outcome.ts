import type { FailureReason, InconclusiveReason, Reason } from './reasons.js';

/** What one probe said. Only `ok` and `failed` move thresholds. */
export type Outcome =
  | { readonly result: 'ok' }
  | { readonly result: 'failed'; readonly reason: FailureReason }
  | { readonly result: 'inconclusive'; readonly reason: InconclusiveReason };

/** One probe's outcome with what it measured. */
export interface ProbeResult {
  readonly outcome: Outcome;
  /** From start to verdict, milliseconds. */
  readonly durationMs: number;
  /** Things worth telling that do not change the outcome, for example `redirect-not-followed`. */
  readonly warnings: readonly string[];
  /** Kind-specific measurements, for example `{ status: 200, bodyBytes: 2 }`; plain JSON. */
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
  /** Bounded protocol transcript, only when asked for. */
  readonly debug?: string;
}

/**
 * The state of a probe after its thresholds: `blind` means that results have been inconclusive without a break
 * for long enough that the last known state should no longer be trusted.
 */
export type ProbeState = 'unknown' | 'ok' | 'failed' | 'blind';

/** The reason of an outcome, or undefined when it is ok. */
export function outcomeReason(outcome: Outcome): Reason | undefined {
  return outcome.result === 'ok' ? undefined : outcome.reason;
}
