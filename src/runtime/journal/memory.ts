import { VmpulseError } from '../../model/errors.js';
import type { CallOptions, JournalEntry, StoredJournalEntry } from '../../model/ports.js';
import type { Availability, ObservableJournal } from './availability.js';
import { decodeData, encodeEntry } from './entry-codec.js';

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

  async read(query: {
    vm?: string;
    afterSeq?: number;
    limit: number;
  }): Promise<readonly StoredJournalEntry[]> {
    this.#assertOpen();
    const { vm, afterSeq, limit } = query;
    const found = this.#entries.filter(
      (entry) => (vm === undefined || entry.vm === vm) && (afterSeq === undefined || entry.seq > afterSeq),
    );
    return afterSeq === undefined ? found.slice(Math.max(0, found.length - limit)) : found.slice(0, limit);
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
