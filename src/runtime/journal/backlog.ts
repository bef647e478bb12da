import type { JournalEntry } from '../../model/ports.js';
import { type EntryRow, encodeEntry, rowBytes } from './entry-codec.js';

/** Bounds of one commit. */
const MAX_BATCH_ROWS = 2_000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/** Ends the wait of one append call; only its first call has an effect. */
type Settle = (error?: Error) => void;

interface Waiting {
  readonly rows: readonly EntryRow[];
  readonly bytes: number;
  readonly settle: Settle;
}

/** What one commit writes. It is repeated as it is until it is on disk. */
export interface Batch {
  readonly rows: readonly EntryRow[];
  readonly settle: Settle;
}

interface Lost {
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/**
 * Entries on their way to the disk, in order, bounded in bytes. When they outgrow the bound the oldest are given up,
 * and an entry that says so goes before the next ones.
 */
export class Backlog {
  readonly #maxBytes: number;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #lost: Lost | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get empty(): boolean {
    return this.#waiting.length === 0 && this.#lost === undefined;
  }

  /** Adds entries behind the others; `overflow` ends the wait of those that have to go for it. */
  push(entries: readonly JournalEntry[], settle: Settle, overflow: () => Error): void {
    const rows = entries.map(encodeEntry);
    const bytes = rows.reduce((sum, row) => sum + rowBytes(row), 0);
    this.#waiting.push({ rows, bytes, settle });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#waiting.shift();
      if (!oldest) return;
      this.#bytes -= oldest.bytes;
      this.#lost = countLost(this.#lost, oldest.rows);
      oldest.settle(overflow());
    }
  }

  /** Takes the oldest entries off, as many as one commit may have. `why` explains what was lost before, if anything. */
  take(why: string, nowMs: number): Batch {
    const settles: Settle[] = [];
    const rows: EntryRow[] = this.#lost ? [encodeEntry(lostEntry(this.#lost, why, nowMs))] : [];
    this.#lost = undefined;
    let bytes = 0;
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const full = rows.length + next.rows.length > MAX_BATCH_ROWS || bytes + next.bytes > MAX_BATCH_BYTES;
      if (full && settles.length > 0) break;
      this.#waiting.shift();
      rows.push(...next.rows);
      bytes += next.bytes;
      settles.push(next.settle);
    }
    this.#bytes -= bytes;
    const settle: Settle = (error) => {
      for (const each of settles) each(error);
    };
    return { rows, settle };
  }

  /** Ends every wait; the entries stay. */
  refuse(error: Error): void {
    for (const { settle } of this.#waiting) settle(error);
  }
}

function countLost(before: Lost | undefined, rows: readonly EntryRow[]): Lost | undefined {
  return rows.reduce<Lost | undefined>(
    (lost, { atMs }) => ({
      count: (lost?.count ?? 0) + 1,
      firstAtMs: Math.min(lost?.firstAtMs ?? atMs, atMs),
      lastAtMs: Math.max(lost?.lastAtMs ?? atMs, atMs),
    }),
    before,
  );
}

function lostEntry(lost: Lost, why: string, nowMs: number): JournalEntry {
  return {
    atMs: nowMs,
    vm: null,
    type: 'daemon',
    actionId: null,
    text: `${lost.count} journal entries could not be kept while the journal was unavailable (${why})`,
    data: { ...lost },
  };
}
