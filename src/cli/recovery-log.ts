import { type RecoveryLogAnswer, recoveryLogAnswer } from '../daemon/answers/journal.js';
import type { DaemonClient } from './client.js';
import { type Answer, asCame } from './format.js';

const PAGE = 1_000;
const MAX_PAGES = 20;

export type Recovery = RecoveryLogAnswer['recoveries'][number];

/** What was done to VMs (undefined: to any) since a time, newest first, each as it came. At most 20,000. */
export async function recoveriesSince(
  client: DaemonClient,
  fromMs: number,
  vms: ReadonlySet<string> | undefined,
): Promise<Answer<Recovery>[]> {
  const found: Answer<Recovery>[] = [];
  let cursor = '';
  for (let page = 0; page < MAX_PAGES; page++) {
    const path = `/v1/recovery/log?from=${fromMs}&limit=${PAGE}${cursor}`;
    const { data, shown } = await client.get(path, asCame(recoveryLogAnswer));
    const raw = listOf(data);
    found.push(...shown.recoveries.map((one, index) => ({ data: raw[index], shown: one })));
    if (shown.next === null) break;
    cursor = `&cursor=${encodeURIComponent(shown.next)}`;
  }
  return vms === undefined ? found : found.filter(({ shown }) => vms.has(shown.vm));
}

function listOf(data: unknown): readonly unknown[] {
  if (typeof data !== 'object' || data === null || !('recoveries' in data)) return [];
  return Array.isArray(data.recoveries) ? data.recoveries : [];
}
