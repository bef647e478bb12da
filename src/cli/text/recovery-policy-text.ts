import type { z } from 'zod';
import { formatDuration } from '../../config/duration.js';
import { leavesOf } from '../../config/mapping.js';
import type { recoveryPolicyAnswer } from '../../daemon/answers/recovery.js';
import { table } from './table.js';

type RecoveryPolicy = z.output<typeof recoveryPolicyAnswer>;

/** Every value as a document would write it, and who said it. */
export function recoveryPolicyText({ vm, recovery, origins }: RecoveryPolicy): string {
  const rows = leavesOf({ ...recovery }).map(([path, value]) => {
    const isTime = path.endsWith('Ms') && typeof value === 'number';
    const text = isTime ? formatDuration(value) : String(Array.isArray(value) ? value.join(' ') : value);
    return [isTime ? path.slice(0, -2) : path, text, origins[path] ?? 'default'];
  });
  return `${vm}\n\n${table(['OPTION', 'VALUE', 'FROM'], rows)}`;
}
