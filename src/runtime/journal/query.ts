import { VmpulseError } from '../../model/errors.js';
import { JOURNAL_TYPES, type JournalPage, type JournalQuery } from '../../model/journal-query.js';
import type { StoredJournalEntry } from '../../model/ports.js';
import { entryColumns } from './entry-codec.js';

/** More entries are never read at once. */
export const MAX_READ = 10_000;

type Value = string | number;

export interface Sql {
  readonly text: string;
  readonly values: readonly Value[];
}

interface Place {
  readonly atMs: number;
  readonly seq: number;
}

/**
 * The statement for a query; it reads one row more than the page has, which tells whether another page follows.
 *
 * Each type (or class) is read from its own stretch of an index that is ordered by time, and the stretches are merged as
 * they are read, until the page is full: what a query costs depends on the size of its page and not on that of the journal.
 */
export function querySql(query: JournalQuery): Sql {
  const direction = query.order === 'newest' ? 'DESC' : 'ASC';
  const limit = pageSize(query) + 1;
  const column = query.classes === undefined ? 'type' : 'class';
  const stretches = [...new Set<string>(query.classes ?? query.types ?? JOURNAL_TYPES)].map((value) =>
    stretchSql(query, column, value),
  );
  // No entry is of none of the types.
  if (stretches.length === 0)
    return { text: `SELECT ${entryColumns()} FROM entries WHERE seq < 0`, values: [] };
  const order = (table: string) => `ORDER BY ${table}at_ms ${direction}, ${table}seq ${direction}`;
  return {
    text: `SELECT ${entryColumns()} FROM (
             ${stretches.map(({ text }) => text).join(' UNION ALL ')} ${order('')} LIMIT ?
           ) AS found CROSS JOIN entries ON entries.seq = found.seq ${order('entries.')}`,
    values: [...stretches.flatMap(({ values }) => values), limit],
  };
}

/** What the statement found, as a page. */
export function pageOf(query: JournalQuery, found: readonly StoredJournalEntry[]): JournalPage {
  const entries = found.slice(0, pageSize(query));
  const last = entries.at(-1);
  return { entries, next: last !== undefined && found.length > entries.length ? cursorOf(last) : null };
}

function stretchSql(query: JournalQuery, column: 'type' | 'class', value: string): Sql {
  const { vm, types, classes, fromMs, untilMs, cursor, order } = query;
  const where: string[] = [`${column} = ?`];
  const values: Value[] = [value];
  const and = (condition: string, ...more: Value[]) => {
    where.push(condition);
    values.push(...more);
  };
  if (vm !== undefined) and('vm = ?', vm);
  if (fromMs !== undefined) and('at_ms >= ?', Math.ceil(fromMs));
  if (untilMs !== undefined) and('at_ms < ?', Math.ceil(untilMs));
  if (cursor !== undefined) {
    const { atMs, seq } = placeOf(cursor);
    and(`(at_ms, seq) ${order === 'newest' ? '<' : '>'} (?, ?)`, atMs, seq);
  }
  if (classes !== undefined && types !== undefined) and(`type IN (${types.map(() => '?').join()})`, ...types);
  const index = `entries_by_${vm === undefined ? '' : 'vm_'}${column}`;
  return { text: `SELECT at_ms, seq FROM entries INDEXED BY ${index} WHERE ${where.join(' AND ')}`, values };
}

export function pageSize({ limit }: JournalQuery): number {
  return Math.max(0, Math.min(MAX_READ, Math.trunc(limit)));
}

function cursorOf({ atMs, seq }: Place): string {
  return `${atMs}.${seq}`;
}

/** Where a page ended. Throws ERR_VMPULSE_ARGUMENT. */
export function placeOf(cursor: string): Place {
  const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(cursor);
  if (match === null)
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      'the cursor is none that a page of the journal gave; leave it out to begin with the first page',
    );
  return { atMs: Number(match[1]), seq: Number(match[2]) };
}
