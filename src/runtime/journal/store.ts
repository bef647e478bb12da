import { statSync } from 'node:fs';
import Database from 'libsql';
import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import type { JournalPage, JournalQuery } from '../../model/journal-query.js';
import type { StoredJournalEntry } from '../../model/ports.js';
import { damagedBeside } from './aside.js';
import { decodeReadable, decodeRows, type EntryRow, entryColumns, stateRow } from './entry-codec.js';
import { JournalMark } from './mark.js';
import { pageOf, querySql } from './query.js';
import { pruneStep, type Retention } from './retention.js';
import { migrate, numberOf } from './schema.js';

export interface StoreOptions extends Retention {
  /** Path of the SQLite file; its folder exists. */
  readonly path: string;
}

/** The file is no journal any more: what was found. */
export class JournalDamage extends Error {
  override readonly name = 'JournalDamage';
}

/** A file up to this size is read through when it is opened, bytes: less than a second. */
const CHECKED_WHOLE_BYTES = 64 * 1024 * 1024;
/** How long a statement waits for another writer, ms. */
const BUSY_TIMEOUT_MS = 2_000;
/** Pages of the write-ahead log before they go into the file: 1 MiB, so that a nearly full disk is not taken up by it. */
const WAL_PAGES = 256;

const checkRow = z.object({ quick_check: z.string() });
const identityRow = z.object({ name: z.string().min(1) });

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
  /** It is not the journal that was here before: what a person has to know of that. Undefined: it is. */
  readonly lost: string | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#mark = new JournalMark(options.path);
    this.#db = new Database(options.path, { timeout: BUSY_TIMEOUT_MS });
    try {
      // Only a new file can have it, and another one would be written to before its version is known.
      if (numberOf(this.#db, 'SELECT page_count AS n FROM pragma_page_count') === 0)
        this.#db.exec('PRAGMA auto_vacuum = INCREMENTAL');
      this.#db.exec('PRAGMA journal_mode = WAL');
      this.#db.exec('PRAGMA synchronous = FULL');
      this.#db.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}`);
      this.#check();
      migrate(this.#db, options.path);
      this.#inode = statSync(options.path).ino;
      this.#id = this.#ownId();
      const marked = this.#mark.read();
      if (marked === undefined) this.#mark.write(this.#id);
      this.lost = marked === undefined || marked === this.#id ? undefined : lostText(options.path);
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
        'INSERT INTO entries (at_ms, vm, type, action_id, text, data, class) VALUES (?, ?, ?, ?, ?, ?, ?)',
      );
      for (const row of rows)
        insert.run([row.atMs, row.vm, row.type, row.actionId, row.text, row.data, row.class]);
      this.#db
        .prepare(
          'INSERT INTO writer (id, batch) VALUES (1, ?) ON CONFLICT DO UPDATE SET batch = excluded.batch',
        )
        .run([batch]);
    });
  }

  /** In the order of writing: the entries after `afterSeq`, or without it the newest; oldest first. */
  read({ afterSeq, limit }: { afterSeq?: number | undefined; limit: number }): StoredJournalEntry[] {
    const columns = entryColumns();
    if (afterSeq !== undefined) {
      const text = `SELECT ${columns} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?`;
      return decodeReadable(this.#rows(text, [afterSeq, limit]));
    }
    const newest = this.#rows(`SELECT ${columns} FROM entries ORDER BY seq DESC LIMIT ?`, [limit]);
    return decodeReadable(newest.reverse());
  }

  /** A page by VM, type, class and time. */
  query(query: JournalQuery): JournalPage {
    const { text, values } = querySql(query);
    return pageOf(query, decodeReadable(this.#rows(text, values)));
  }

  /** Everything about these actions, oldest first. */
  ofActions(ids: readonly string[]): StoredJournalEntry[] {
    const text = `SELECT ${entryColumns()} FROM entries WHERE action_id IN (${ids.map(() => '?').join()}) ORDER BY seq`;
    return decodeReadable(this.#rows(text, ids));
  }

  /** Starts of actions that have no end, oldest first. */
  unfinished(): StoredJournalEntry[] {
    const text = `SELECT ${entryColumns('started')} FROM entries AS started
      WHERE action_id IS NOT NULL AND type = 'action-start' AND NOT EXISTS (
        SELECT 1 FROM entries WHERE type = 'action-end' AND action_id = started.action_id AND seq > started.seq
      ) ORDER BY seq`;
    return decodeRows(this.#rows(text, []));
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

  /** A small step of pruning. True: there is more to do. */
  prune(nowMs: number): boolean {
    return pruneStep(this.#db, this.#options, nowMs);
  }

  /** From now on this is the journal that belongs here. */
  acceptAsOwn(): void {
    this.#mark.write(this.#id);
  }

  close(): void {
    this.#db.close();
  }

  /** Rows as arrays, which cost less than objects. */
  #rows(text: string, values: readonly (string | number)[]): unknown[] {
    return this.#db.prepare(text).raw(true).all(values);
  }

  #ownId(): string {
    const { data } = identityRow.safeParse(this.#db.prepare('SELECT name FROM identity').get([]));
    if (data === undefined) throw new JournalDamage('it has no name');
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

  /** Throws JournalDamage, or what SQLite does. Of a large file only what every start needs is looked at. */
  #check(): void {
    const isSmall = statSync(this.#options.path).size <= CHECKED_WHOLE_BYTES;
    for (const what of isSmall ? ['1'] : ["'state'", "'writer'", "'identity'"]) {
      const { data } = checkRow.safeParse(this.#db.prepare(`PRAGMA quick_check(${what})`).get([]));
      if (data?.quick_check !== 'ok') throw new JournalDamage(data?.quick_check ?? 'no answer');
    }
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

function lostText(path: string): string {
  const damaged = damagedBeside(path).at(-1);
  const where = damaged === undefined ? '' : `; the one before was damaged and is now ${damaged}`;
  return `${path} is not the journal that was here before; what that one knew is gone${where}`;
}
