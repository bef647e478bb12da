import { JOURNAL_TYPES } from '../../model/journal-query.js';
import type { SqlConnection } from './schema.js';
import { numberOf } from './schema.js';

export interface Retention {
  /** Entries older than this go, ms, except the newest 10,000. */
  readonly maxAgeMs: number;
  /** The oldest entries go once file and what is kept in it are larger, bytes; the newest 1000 stay. */
  readonly maxBytes: number;
}

/** Entries of one step: a write that comes meanwhile waits for it. */
const STEP_ROWS = 100;
/** Pages that one step gives back to the file system. */
const STEP_PAGES = 256;
/** The newest entries stay whatever their age: a wall clock that is wrong for a moment must not empty the journal. */
const KEPT_AT_ANY_AGE = 10_000;
/** The newest entries stay whatever the size of the rest (the state of the VMs of a large host). */
const KEPT_AT_ANY_SIZE = 1_000;

/** The start of an action that has no end yet: what the next daemon has to know. */
const IS_UNFINISHED = `(type = 'action-start' AND NOT EXISTS (
  SELECT 1 FROM entries AS ended
  WHERE ended.type = 'action-end' AND ended.action_id = entries.action_id AND ended.seq > entries.seq))`;
/** The oldest, whatever their time. It reads over starts without an end only. */
const TOO_MANY = `SELECT seq FROM entries WHERE seq <= ? AND NOT ${IS_UNFINISHED} ORDER BY seq LIMIT ${STEP_ROWS}`;
/**
 * Those from before a time. Times need not rise with `seq`, as clocks are set, so each type is read from its own stretch of
 * the index by time: entries that stay do not stand in the way of others, and nothing is read where nothing is too old.
 */
const TOO_OLD = JOURNAL_TYPES.map(
  (type) => `SELECT seq FROM (
    SELECT seq FROM entries INDEXED BY entries_by_type
    WHERE type = '${type}' AND at_ms < ?1 AND seq <= ?2${type === 'action-start' ? ` AND NOT ${IS_UNFINISHED}` : ''}
    ORDER BY at_ms LIMIT ${Math.ceil(STEP_ROWS / JOURNAL_TYPES.length)})`,
).join(' UNION ALL ');

/**
 * Removes the oldest entries that are over the bounds, a small step at a time; starts of actions without an end stay.
 * True: there is more to do.
 *
 * A step is not made durable by itself, which would cost a wait for the disk: after a crash it is done again.
 */
export function pruneStep(db: SqlConnection, { maxAgeMs, maxBytes }: Retention, nowMs: number): boolean {
  const pages = numberOf(db, 'SELECT page_count AS n FROM pragma_page_count');
  const free = numberOf(db, 'SELECT freelist_count AS n FROM pragma_freelist_count');
  const pageBytes = numberOf(db, 'SELECT page_size AS n FROM pragma_page_size');
  const newest = numberOf(db, 'SELECT coalesce(max(seq), 0) AS n FROM entries');
  const isTooLarge = (pages - free) * pageBytes > maxBytes;
  db.exec('PRAGMA synchronous = NORMAL');
  try {
    const { changes } = isTooLarge
      ? db.prepare(`DELETE FROM entries WHERE seq IN (${TOO_MANY})`).run([newest - KEPT_AT_ANY_SIZE])
      : db
          .prepare(`DELETE FROM entries WHERE seq IN (${TOO_OLD})`)
          .run([Math.floor(nowMs - maxAgeMs), newest - KEPT_AT_ANY_AGE]);
    if (changes > 0) return true;
    if (free === 0 || pages * pageBytes <= maxBytes) return false;
    db.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
    // A file of an older vmpulse cannot shrink; what is free in it is used again.
    return numberOf(db, 'SELECT page_count AS n FROM pragma_page_count') < pages;
  } finally {
    db.exec('PRAGMA synchronous = FULL');
  }
}
