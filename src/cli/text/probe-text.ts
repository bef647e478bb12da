import { type Outcome, outcomeReason, type ProbeResult } from '../../model/outcome.js';
import { plainText } from '../../model/plain-text.js';
import { REASON_CLASS } from '../../model/reasons.js';
import type { Paint } from './paint.js';

/** The line of `vmpulse probe --json`; `reason` and `class` are null when it is ok. */
export function probeJson(kind: string, target: string, result: ProbeResult): object {
  const reason = outcomeReason(result.outcome) ?? null;
  return {
    kind,
    target,
    outcome: result.outcome.result,
    reason,
    class: reason === null ? null : REASON_CLASS[reason],
    durationMs: Math.round(result.durationMs * 1000) / 1000,
    warnings: result.warnings,
    details: result.details,
  };
}

/** The same for a person, one line and one a warning. */
export function probeText(label: string, result: ProbeResult, paint: Paint): string {
  const reason = outcomeReason(result.outcome);
  const why = reason === undefined ? '' : `: ${reason} (${REASON_CLASS[reason]})`;
  const details = Object.entries(result.details).map(
    ([name, value]) => `${name} ${plainText(String(value))}`,
  );
  const facts = [`${result.durationMs.toFixed(1)} ms`, ...details].join(', ');
  const line = `${verdict(result.outcome, paint)}${why}, ${label} (${facts})\n`;
  return line + result.warnings.map((warning) => `warning: ${plainText(warning)}\n`).join('');
}

function verdict({ result }: Outcome, paint: Paint): string {
  if (result === 'ok') return paint.good(result);
  return result === 'failed' ? paint.bad(result) : paint.warning(result);
}
