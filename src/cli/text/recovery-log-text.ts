import { plainText } from '../../model/plain-text.js';
import type { Recovery } from '../recovery-log.js';
import { type Paint, paintState } from './paint.js';
import { table } from './table.js';
import { span } from './time.js';

/** Of what was seen, and of what came of it; --json has the whole of both. */
const MAX_CHARS = 1_000;
const NOTHING = 'nothing was done to any VM in that time\n';

/** A line a recovery. */
export function recoveryHistoryText(recoveries: readonly Recovery[], paint: Paint): string {
  if (recoveries.length === 0) return NOTHING;
  const rows = recoveries.map(({ startedAtMs, vm, diagnosis, action, result, durationMs }) => [
    second(startedAtMs),
    vm,
    `${diagnosis.kind} (${diagnosis.cause})`,
    action,
    { text: result, paint: (text: string) => paintResult(text, paint) },
    durationMs === null ? '-' : tookText(durationMs),
  ]);
  return table(['TIME (UTC)', 'VM', 'ISSUE', 'ACTION', 'RESULT', 'TOOK'], rows);
}

/** A paragraph a recovery: what was wrong, what was done, what came of it. */
export function recoveryLogText(recoveries: readonly Recovery[], paint: Paint): string {
  if (recoveries.length === 0) return NOTHING;
  return recoveries
    .map(({ startedAtMs, vm, issue, action, attempt, result, durationMs, text }) => {
      const took = durationMs === null ? '' : `, ${tookText(durationMs)}`;
      const lines = [
        `${second(startedAtMs)} - ${paint.strong(vm)}`,
        `  Issue: ${plainText(issue, MAX_CHARS)}`,
        `  Action: ${action} (attempt ${attempt})`,
        `  Result: ${paintResult(result, paint)}${took}${text === '' ? '' : `: ${plainText(text, MAX_CHARS)}`}`,
      ];
      return `${lines.join('\n')}\n`;
    })
    .join('\n');
}

/** How many there were, and how they ended. */
export function recoverySumText(recoveries: readonly Recovery[]): string {
  if (recoveries.length === 0) return 'none';
  const counts = new Map<string, number>();
  for (const { result } of recoveries) counts.set(result, (counts.get(result) ?? 0) + 1);
  return `${recoveries.length} (${[...counts].map(([result, count]) => `${count} ${result}`).join(', ')})`;
}

function paintResult(result: string, paint: Paint): string {
  return result === 'success' ? paint.good(result) : paintState(result, paint);
}

function second(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

function tookText(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : span(ms);
}
