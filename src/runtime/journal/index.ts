import { SqliteJournal, type SqliteJournalOptions } from './sqlite-journal.js';

export type { Availability, ObservableJournal } from './availability.js';
export { MemoryJournal } from './memory.js';
export type { SqliteJournalOptions } from './sqlite-journal.js';

/** Opens the journal in an SQLite file; see SqliteJournal.open. The caller closes it, after whoever writes to it. */
export function openJournal(options: SqliteJournalOptions): Promise<SqliteJournal> {
  return SqliteJournal.open(options);
}
