import { onTestFinished } from 'vitest';
import type { JournalEntry } from '../../../src/model/ports.js';
import type { SqliteJournalOptions } from '../../../src/runtime/journal/sqlite-journal.js';
import { SqliteJournal } from '../../../src/runtime/journal/sqlite-journal.js';

/** A journal that is closed with the test. */
export async function openHere(
  path: string,
  options: Partial<SqliteJournalOptions> = {},
): Promise<SqliteJournal> {
  const journal = await SqliteJournal.open({ path, ...options });
  onTestFinished(() => journal.close());
  return journal;
}

export function entry(text: string, more: Partial<JournalEntry> = {}): JournalEntry {
  return { atMs: 1_000, vm: 'default/web-1', type: 'decision', actionId: null, text, data: {}, ...more };
}

export const SOON = { deadlineMs: 20_000 };
