import { VmpulseError } from '../../model/errors.js';
import type { JournalPage, JournalQuery } from '../../model/journal-query.js';
import type { CallOptions, JournalEntry, StoredJournalEntry } from '../../model/ports.js';
import type { Availability, ObservableJournal } from './availability.js';
import { classOf, decodeData, encodeEntry } from './entry-codec.js';
import { pageOf, placeOf } from './query.js';

type Place = Pick<StoredJournalEntry, 'atMs' | 'seq'>;

/**
 * A journal for host programs that give no state directory: nothing survives the process. Holds at most `maxEntries`
 * (default 10,000); the oldest go first. `append` and `saveState` resolve at once.
 */
export class MemoryJournal implements ObservableJournal {
  readonly availability: Availability = { available: true, sinceMs: Date.now() };
  readonly #maxEntries: number;
  readonly #state = new Map<string, string>();
  #entries: StoredJournalEntry[] = [];
  #lastSeq = 0;
  #closed = false;

  constructor(options: { readonly maxEntries?: number } = {}) {
    this.#maxEntries = options.maxEntries ?? 10_000;
  }

  onAvailability(_listener: (availability: Availability) => void): () => void {
    return () => {};
  }

  async acceptLoss(): Promise<void> {}

  async append(entries: readonly JournalEntry[], _options: CallOptions): Promise<void> {
    this.#assertOpen();
    // The same bounds and the same private copy as on disk.
    const stored = entries.map((entry) => ({ entry, row: encodeEntry(entry) }));
    for (const { entry, row } of stored) {
      this.#lastSeq += 1;
      this.#entries.push({ ...entry, seq: this.#lastSeq, text: row.text, data: decodeData(row.data) });
    }
    if (this.#entries.length > this.#maxEntries * 1.25)
      this.#entries = this.#entries.slice(-this.#maxEntries);
  }

  async read(query: { afterSeq?: number; limit: number }): Promise<readonly StoredJournalEntry[]> {
    this.#assertOpen();
    const { afterSeq, limit } = query;
    if (afterSeq === undefined) return this.#entries.slice(Math.max(0, this.#entries.length - limit));
    return this.#entries.filter((entry) => entry.seq > afterSeq).slice(0, limit);
  }

  async query(query: JournalQuery): Promise<JournalPage> {
    this.#assertOpen();
    const { vm, types, classes, fromMs, untilMs, cursor, order } = query;
    const after = cursor === undefined ? undefined : placeOf(cursor);
    const sign = order === 'newest' ? -1 : 1;
    const compare = (a: Place, b: Place) => sign * (a.atMs - b.atMs || a.seq - b.seq);
    const found = this.#entries.filter((entry) => {
      const failure = classOf(entry);
      return (
        (vm === undefined || entry.vm === vm) &&
        (types === undefined || types.includes(entry.type)) &&
        (classes === undefined || (failure !== null && classes.includes(failure))) &&
        (fromMs === undefined || entry.atMs >= fromMs) &&
        (untilMs === undefined || entry.atMs < untilMs) &&
        (after === undefined || compare(entry, after) > 0)
      );
    });
    return pageOf(query, found.sort(compare));
  }

  async ofActions(ids: readonly string[]): Promise<readonly StoredJournalEntry[]> {
    this.#assertOpen();
    return this.#entries.filter(({ actionId }) => actionId !== null && ids.includes(actionId));
  }

  async unfinished(): Promise<readonly StoredJournalEntry[]> {
    this.#assertOpen();
    const open = new Map<string, StoredJournalEntry>();
    for (const entry of this.#entries) {
      if (entry.actionId === null) continue;
      if (entry.type === 'action-start') open.set(entry.actionId, entry);
      if (entry.type === 'action-end') open.delete(entry.actionId);
    }
    return [...open.values()];
  }

  async saveState(values: ReadonlyMap<string, string | null>, _options: CallOptions): Promise<void> {
    this.#assertOpen();
    for (const [key, value] of values) {
      if (value === null) this.#state.delete(key);
      else this.#state.set(key, value);
    }
  }

  async loadState(prefix: string): Promise<ReadonlyMap<string, string>> {
    this.#assertOpen();
    return new Map([...this.#state].filter(([key]) => key.startsWith(prefix)));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the journal was closed');
  }
}
