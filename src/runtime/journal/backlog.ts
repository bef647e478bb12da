import type { JournalEntry } from '../../model/ports.js';
import { packEntries } from './entry-codec.js';

/** Bounds of one commit. */
const MAX_BATCH_ENTRIES = 2_000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** What an entry takes beside its text, roughly. */
const ENTRY_BYTES = 100;

/** Ends the wait of one append call; only its first call has an effect. */
type Settle = (error?: Error) => void;

/** Of how many entries, and from when to when. */
interface Extent {
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

interface Waiting extends Extent {
  /** See packEntries. */
  readonly packed: string;
  readonly bytes: number;
  readonly settle: Settle;
}

/** What one commit writes. It is repeated as it is until it is on disk. */
export interface Batch {
  readonly packed: readonly string[];
  readonly settle: Settle;
}

/**
 * Entries on their way to the disk, in order, bounded in bytes. When they outgrow the bound the oldest are given up,
 * and an entry that says so goes before the next ones.
 */
export class Backlog {
  readonly #maxBytes: number;
  readonly #refused: (entry: JournalEntry, why: string) => void;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #count = 0;
  #lost: Extent | undefined;

  /** `refused`: see packEntries. */
  constructor(maxBytes: number, refused: (entry: JournalEntry, why: string) => void) {
    this.#maxBytes = maxBytes;
    this.#refused = refused;
  }

  get empty(): boolean {
    return this.#waiting.length === 0 && this.#lost === undefined;
  }

  /** Entries that wait. */
  get count(): number {
    return this.#count;
  }

  /** Adds entries behind the others; `overflow` ends the wait of those that have to go for it. */
  push(entries: readonly JournalEntry[], settle: Settle, overflow: () => Error): void {
    const packed = packEntries(entries, this.#refused);
    const bytes = packed.length + entries.length * ENTRY_BYTES;
    this.#waiting.push({ packed, bytes, settle, ...extentOf(entries) });
    this.#bytes += bytes;
    this.#count += entries.length;
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#waiting.shift();
      if (!oldest) return;
      this.#bytes -= oldest.bytes;
      this.#count -= oldest.count;
      this.#lost = together(this.#lost, oldest);
      oldest.settle(overflow());
    }
  }

  /** Takes the oldest entries off, as many as one commit may have. `why` explains what was lost before, if anything. */
  take(why: string, nowMs: number): Batch {
    const settles: Settle[] = [];
    const packed: string[] = this.#lost
      ? [packEntries([lostEntry(this.#lost, why, nowMs)], this.#refused)]
      : [];
    this.#lost = undefined;
    let [count, bytes] = [packed.length, 0];
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const full = count + next.count > MAX_BATCH_ENTRIES || bytes + next.bytes > MAX_BATCH_BYTES;
      if (full && settles.length > 0) break;
      this.#waiting.shift();
      this.#count -= next.count;
      packed.push(next.packed);
      count += next.count;
      bytes += next.bytes;
      settles.push(next.settle);
    }
    this.#bytes -= bytes;
    const settle: Settle = (error) => {
      for (const each of settles) each(error);
    };
    return { packed, settle };
  }

  /** Ends every wait; the entries stay. */
  refuse(error: Error): void {
    for (const { settle } of this.#waiting) settle(error);
  }
}

function extentOf(entries: readonly JournalEntry[]): Extent {
  let [firstAtMs, lastAtMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { atMs } of entries) {
    firstAtMs = Math.min(firstAtMs, atMs);
    lastAtMs = Math.max(lastAtMs, atMs);
  }
  return { count: entries.length, firstAtMs, lastAtMs };
}

function together(before: Extent | undefined, { count, firstAtMs, lastAtMs }: Extent): Extent {
  if (before === undefined) return { count, firstAtMs, lastAtMs };
  return {
    count: before.count + count,
    firstAtMs: Math.min(before.firstAtMs, firstAtMs),
    lastAtMs: Math.max(before.lastAtMs, lastAtMs),
  };
}

function lostEntry(lost: Extent, why: string, nowMs: number): JournalEntry {
  return {
    atMs: nowMs,
    vm: null,
    type: 'daemon',
    actionId: null,
    text: `${lost.count} journal entries could not be kept while the journal was unavailable (${why})`,
    data: { ...lost },
  };
}
