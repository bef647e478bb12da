import type { CheckNowAnswer } from '../../daemon/answers/checks.js';
import { type Paint, paintState } from './paint.js';
import { type Cell, table } from './table.js';

type Result = CheckNowAnswer['results'][number];

/** What the probes of a VM said when they were asked at once. `verbose`: all that they measured, too. */
export function checkNowText({ vm, results }: CheckNowAnswer, verbose: boolean, paint: Paint): string {
  const head = `${paint.strong(vm)}\n`;
  if (results.length === 0) return `${head}no probe is switched on\n`;
  const rows = results.map((result): (string | Cell)[] => [
    result.name,
    result.role,
    result.kind,
    { text: result.outcome.result, paint: (text) => paintState(text, paint) },
    `${result.durationMs.toFixed(1)} ms`,
    [result.outcome.reason, result.details.message].filter((text) => text !== undefined).join(': '),
  ]);
  const list = table(['PROBE', 'ROLE', 'KIND', 'RESULT', 'TOOK', 'WHY'], rows);
  return `${head}${list}${verbose ? results.map(detailsText).join('') : ''}`;
}

function detailsText({ name, details, warnings }: Result): string {
  const facts = Object.entries(details)
    .filter(([key]) => key !== 'message')
    .map(([key, value]) => `  ${name}: ${key} ${value}\n`);
  return [...facts, ...warnings.map((warning) => `  ${name}: warning: ${warning}\n`)].join('');
}
