import { journalPageAnswer } from '../daemon/answers/journal.js';
import { given } from '../model/given.js';
import type { DaemonClient } from './client.js';
import { historyQuery } from './history-options.js';
import { pages } from './pages.js';

const PAGE = 1_000;

/** What `health reset --clear-history` said within that time, by VM: its history of health begins there. */
export async function historyStarts(
  client: DaemonClient,
  lastMs: number,
): Promise<(entry: { readonly vm: string | null; readonly atMs: number }) => boolean> {
  const starts = new Map<string | null, number>();
  const wanted = { from: String(Date.now() - lastMs), order: 'newest', limit: PAGE } as const;
  const ask = (cursor: string | undefined) => {
    const page = { ...wanted, ...given({ cursor }) };
    const query = historyQuery(page, { type: 'operator' });
    return client.get(`/v1/journal/entries?${query}`, journalPageAnswer);
  };
  for await (const { entries } of pages(ask, ({ next }) => next)) {
    for (const { vm, atMs, data } of entries) {
      const isReset = data.verb === 'health-reset' && data.clearHistory === true;
      if (isReset) starts.set(vm, Math.max(atMs, starts.get(vm) ?? 0));
    }
  }
  return ({ vm, atMs }) => atMs >= (starts.get(vm) ?? 0);
}
