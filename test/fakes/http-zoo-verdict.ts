import type { Outcome } from '../../src/model/outcome.js';
import type { FailureReason } from '../../src/model/reasons.js';

export const OK: Outcome = { result: 'ok' };

export function failed(reason: FailureReason): Outcome {
  return { result: 'failed', reason };
}
