import { journalPageAnswer } from '../daemon/answers/journal.js';
import type { DaemonClient } from './client.js';
import { historyQuery } from './history-options.js';

/** What `health reset --clear-history` said within that time, by VM: its history of health begins there. */
export async function historyStarts(
  client: DaemonClient,
  lastMs: number,
): Promise<(entry: { readonly vm: string | null; readonly atMs: number }) => boolean> {
  const query = historyQuery({ last: lastMs, order: 'newest', limit: 1_000 }, { type: 'operator' });
  const { entries } = await client.get(`/v1/journal/entries?${query}`, journalPageAnswer);
  const starts = new Map<string | null, number>();
  for (const { vm, atMs, data } of entries) {
    const isReset = data.verb === 'health-reset' && data.clearHistory === true;
    if (isReset) starts.set(vm, Math.max(atMs, starts.get(vm) ?? 0));
  }
  return ({ vm, atMs }) => atMs >= (starts.get(vm) ?? 0);
}
