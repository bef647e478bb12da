import type { Outcome, ProbeResult } from '../../model/outcome.js';
import { isInconclusive, type Reason } from '../../model/reasons.js';
import type { ExchangeResult } from './http/exchange.js';

/** How a probe ended. */
export interface Verdict {
  readonly outcome: Outcome;
  /** What an HTTP exchange measured, if there was one. */
  readonly exchange?: ExchangeResult;
  /** One line for people, where there was no exchange. */
  readonly message?: string;
}

/** The not-ok outcome of a reason; its class decides between failed and inconclusive, so that the two never mix. */
export function outcomeOf(reason: Reason): Outcome {
  return isInconclusive(reason) ? { result: 'inconclusive', reason } : { result: 'failed', reason };
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
