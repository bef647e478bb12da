import type { Outcome, ProbeResult } from '../../model/outcome.js';
import { isInconclusive, type Reason } from '../../model/reasons.js';

/** What was measured on the way, as far as it got. */
export interface Measured {
  /** Of HTTP: status of the last final response. */
  status?: number;
  /** Body bytes received of it, chunk framing not counted; at most the limit that was read to. */
  bodyBytes: number;
  /** Redirects followed before it. */
  redirects: number;
  /** For example `TLSv1.3`. */
  tlsVersion?: string;
  /** End of the server certificate's validity, wall-clock ms. */
  certificateNotAfterMs?: number;
}

/** The verdict of a conversation. */
export interface ExchangeResult {
  readonly outcome: Outcome;
  readonly measured: Measured;
  readonly warnings: readonly string[];
  /** One bounded, escaped line for people, when not ok. */
  readonly message?: string;
  readonly transcript?: string;
  /** The response ended cleanly and the peer keeps the connection open. */
  readonly reusable: boolean;
}

/** How a probe ended. */
export interface Verdict {
  readonly outcome: Outcome;
  /** What a conversation measured, if there was one. */
  readonly exchange?: ExchangeResult;
  /** One line for people, where there was no exchange. */
  readonly message?: string;
}

/** The not-ok outcome of a reason; its class decides between failed and inconclusive, so that the two never mix. */
export function outcomeOf(reason: Reason): Outcome {
  return isInconclusive(reason) ? { result: 'inconclusive', reason } : { result: 'failed', reason };
}

/** The verdict of a probe that ended before anything was said. */
export function verdictOf(reason: Reason, message: string | undefined): Verdict {
  return { outcome: outcomeOf(reason), ...(message === undefined ? {} : { message }) };
}

/** The result of a probe outside the schedule. */
export function probeResult(verdict: Verdict, durationMs: number): ProbeResult {
  const { outcome, exchange } = verdict;
  if (exchange === undefined) {
    const details = verdict.message === undefined ? {} : { message: verdict.message };
    return { outcome, durationMs, warnings: [], details };
  }
  const { measured, warnings, message, transcript } = exchange;
  const { status, bodyBytes, redirects, ...tls } = measured;
  return {
    outcome,
    durationMs,
    warnings,
    details: {
      // Zeros of a server that never spoke HTTP would say nothing.
      ...(status === undefined ? {} : { status, bodyBytes, redirects }),
      ...tls,
      ...(message === undefined ? {} : { message }),
    },
    ...(transcript === undefined ? {} : { debug: transcript }),
  };
}
