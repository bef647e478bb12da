import { statSync } from 'node:fs';
import Database from 'libsql';
import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import type { StoredJournalEntry } from '../../model/ports.js';
import { decodeRows, type EntryRow } from './entry-codec.js';
import { JournalMark } from './mark.js';
import { migrate } from './schema.js';

export interface StoreOptions {
  /** Path of the SQLite file; its folder exists. */
  readonly path: string;
  /** Older entries go first once there are more. */
  readonly maxEntries: number;
  /** Entries older than this go, except the newest 10,000. */
  readonly maxAgeMs: number;
}

/** How long a statement waits for another writer, ms. */
const BUSY_TIMEOUT_MS = 2_000;
/** Pages of the write-ahead log before they go into the file: 1 MiB, so that a nearly full disk is not taken up by it. */
const WAL_PAGES = 256;
const PRUNE_STEP = 500;

const identityRow = z.object({ name: z.string().min(1) });
const stateRow = z.object({ key: z.string(), value: z.string() });
/** The newest entries stay whatever their age: a wall clock that is wrong for a moment must not empty the journal. */
const KEPT_AT_ANY_AGE = 10_000;

/**
 * The journal's SQLite file: synchronous, so it lives on its own Worker. Every commit is on disk when it returns
 * (WAL with synchronous=FULL). Throws ERR_VMPULSE_JOURNAL, or ERR_VMPULSE_JOURNAL_VERSION for a newer file.
 */
export class JournalStore {
  readonly #db: Database.Database;
  readonly #options: StoreOptions;
  readonly #inode: number;
  readonly #mark: JournalMark;
  /** Names this file, whatever its path. */
  readonly #id: string;
  /** It is not the journal that was here before. */
  readonly isAnother: boolean;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#mark = new JournalMark(options.path);
    this.#db = new Database(options.path, { timeout: BUSY_TIMEOUT_MS });
    try {
      this.#db.exec('PRAGMA journal_mode = WAL');
      this.#db.exec('PRAGMA synchronous = FULL');
      this.#db.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}`);
      this.#check();
      migrate(this.#db, options.path);
      this.#inode = statSync(options.path).ino;
      this.#id = this.#ownId();
      const marked = this.#mark.read();
      if (marked === undefined) this.#mark.write(this.#id);
      this.isAnother = marked !== undefined && marked !== this.#id;
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /**
   * Writes rows in order, in one transaction. `batch` names it: a batch that is already there is not written again, so
   * that a commit whose answer was lost can be repeated.
   */
  append(batch: string, rows: readonly EntryRow[]): void {
    this.#assertSameFile();
    this.#transaction(() => {
      if (this.#lastBatch() === batch) return;
      const insert = this.#db.prepare(
        'INSERT INTO entries (at_ms, vm, type, action_id, text, data) VALUES (?, ?, ?, ?, ?, ?)',
      );
      for (const row of rows) insert.run([row.atMs, row.vm, row.type, row.actionId, row.text, row.data]);
      this.#db
        .prepare(
          'INSERT INTO writer (id, batch) VALUES (1, ?) ON CONFLICT DO UPDATE SET batch = excluded.batch',
        )
        .run([batch]);
    });
  }

  /** Entries after `afterSeq`, oldest first; without it the newest `limit`, also oldest first. */
  read(query: {
    vm?: string | undefined;
    afterSeq?: number | undefined;
    limit: number;
  }): StoredJournalEntry[] {
    const where: string[] = [];
    const params: (string | number)[] = [];
    if (query.vm !== undefined) {
      where.push('vm = ?');
      params.push(query.vm);
    }
    if (query.afterSeq !== undefined) {
      where.push('seq > ?');
      params.push(query.afterSeq);
    }
    const filter = where.length > 0 ? `WHERE ${where.join(' AND ')}` : '';
    const order = query.afterSeq === undefined ? 'DESC' : 'ASC';
    const rows = this.#db
      .prepare(`SELECT * FROM entries ${filter} ORDER BY seq ${order} LIMIT ?`)
      .all([...params, query.limit]);
    return decodeRows(order === 'DESC' ? rows.reverse() : rows);
  }

  /** Starts of actions that have no end, oldest first. */
  unfinished(): StoredJournalEntry[] {
    const rows = this.#db
      .prepare(
        `SELECT * FROM entries AS started WHERE action_id IS NOT NULL AND type = 'action-start' AND NOT EXISTS (
           SELECT 1 FROM entries WHERE type = 'action-end' AND action_id = started.action_id AND seq > started.seq
         ) ORDER BY seq`,
      )
      .all([]);
    return decodeRows(rows);
  }

  /** Writes all values, or none. `null` removes one. */
  saveState(values: ReadonlyMap<string, string | null>): void {
    this.#assertSameFile();
    this.#transaction(() => {
      const put = this.#db.prepare(
        'INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
      );
      const remove = this.#db.prepare('DELETE FROM state WHERE key = ?');
      for (const [key, value] of values) {
        if (value === null) remove.run([key]);
        else put.run([key, value]);
      }
    });
  }

  loadState(prefix: string): Map<string, string> {
    const rows: unknown[] = this.#db
      .prepare('SELECT key, value FROM state WHERE substr(key, 1, length(?)) = ?')
      .all([prefix, prefix]);
    return new Map(rows.map((row) => this.#stateRow(row)));
  }

  /**
   * Removes the oldest entries that are over the bounds, a small step at a time; starts without an end stay.
   * True: there is more to remove.
   */
  prune(nowMs: number): boolean {
    const info = this.#db
      .prepare(
        `DELETE FROM entries WHERE seq IN (
           SELECT oldest.seq
           FROM (SELECT seq, at_ms, type, action_id FROM entries ORDER BY seq LIMIT ${PRUNE_STEP}) AS oldest,
                (SELECT max(seq) AS seq FROM entries) AS newest
           WHERE (oldest.seq <= newest.seq - ?
                  OR (oldest.seq <= newest.seq - ${KEPT_AT_ANY_AGE} AND oldest.at_ms < ?))
             AND NOT (oldest.type = 'action-start' AND NOT EXISTS (
               SELECT 1 FROM entries AS ended
               WHERE ended.type = 'action-end' AND ended.action_id = oldest.action_id AND ended.seq > oldest.seq)))`,
      )
      .run([this.#options.maxEntries, nowMs - this.#options.maxAgeMs]);
    return info.changes > 0;
  }

  /** From now on this is the journal that belongs here. */
  acceptAsOwn(): void {
    this.#mark.write(this.#id);
  }

  close(): void {
    this.#db.close();
  }

  #ownId(): string {
    const { data } = identityRow.safeParse(this.#db.prepare('SELECT name FROM identity').get([]));
    if (data === undefined)
      throw new VmpulseError('ERR_VMPULSE_JOURNAL', damaged(this.#options.path, 'it has no name'));
    return data.name;
  }

  #stateRow(row: unknown): [key: string, value: string] {
    const { data } = stateRow.safeParse(row);
    if (data === undefined)
      throw new VmpulseError('ERR_VMPULSE_JOURNAL', `the state in ${this.#options.path} is no text`);
    return [data.key, data.value];
  }

  #lastBatch(): string | undefined {
    const row: unknown = this.#db.prepare('SELECT batch FROM writer WHERE id = 1').get([]);
    return typeof row === 'object' && row !== null && 'batch' in row && typeof row.batch === 'string'
      ? row.batch
      : undefined;
  }

  #transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      // After a full disk SQLite has rolled back by itself; a second ROLLBACK says so, and the first error is the one to tell.
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #check(): void {
    const found: unknown = this.#db.prepare('PRAGMA quick_check(1)').get([]);
    if (typeof found === 'object' && found !== null && 'quick_check' in found && found.quick_check === 'ok')
      return;
    const what =
      typeof found === 'object' && found !== null && 'quick_check' in found
        ? String(found.quick_check)
        : 'no answer';
    throw new VmpulseError('ERR_VMPULSE_JOURNAL', damaged(this.#options.path, what));
  }

  // SQLite goes on writing into a file that was removed or replaced under it; those entries would be lost unseen.
  #assertSameFile(): void {
    const inode = statSync(this.#options.path, { throwIfNoEntry: false })?.ino;
    if (inode === this.#inode) return;
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      `${this.#options.path} was removed or replaced while in use; it is opened again`,
    );
  }
}

/** What to tell of a damaged file. */
export function damaged(path: string, what: string): string {
  return `${path} is damaged (${what}); move it and its -wal and -shm files away to begin a new journal, or restore a copy`;
}
