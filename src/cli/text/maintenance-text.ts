import type { MaintenanceAnswer } from '../../daemon/answers/recovery.js';
import { table } from './table.js';
import { moment } from './time.js';

/** Every entry in one line. */
export function maintenanceText({ entries }: MaintenanceAnswer): string {
  if (entries.length === 0) return 'no maintenance is scheduled\n';
  const rows = entries.map(({ vm, name, does, nextAtMs, state, why, last }) => [
    vm,
    name,
    does,
    nextAtMs === null ? '-' : minute(nextAtMs),
    why === null ? state : `${state}: ${why}`,
    last === null ? '-' : `${minute(last.endedAtMs)} ${last.result}: ${last.text}`,
  ]);
  return table(['VM', 'NAME', 'DOES', 'NEXT (UTC)', 'STATE', 'LAST'], rows);
}

function minute(ms: number): string {
  return moment(ms).slice(0, 16);
}
