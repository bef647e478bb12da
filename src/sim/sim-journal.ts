import { VmpulseError } from '../model/errors.js';
import type { JournalPage } from '../model/journal-query.js';
import type { JournalEntry, StoredJournalEntry } from '../model/ports.js';
import type { Availability, ObservableJournal } from '../runtime/journal/index.js';
import type { Timeline } from './timeline.js';

const FSYNC_MS = 3;

/** The disk under the journals of one host: what was written there outlives every daemon. */
export class JournalDisk {
  readonly state = new Map<string, string>();
  /** Actions that began and have not ended. */
  readonly open = new Map<string, StoredJournalEntry>();
  /** Which journal this is, and which one the file beside it names. */
  #id = 1;
  #mark = 1;
  readonly #onEntry: (entry: StoredJournalEntry) => void;
  seq = 0;
  full = false;

  constructor(onEntry: (entry: StoredJournalEntry) => void) {
    this.#onEntry = onEntry;
  }

  write(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      const stored = { ...entry, seq: ++this.seq };
      if (stored.actionId !== null && stored.type === 'action-start') this.open.set(stored.actionId, stored);
      if (stored.actionId !== null && stored.type === 'action-end') this.open.delete(stored.actionId);
      this.#onEntry(stored);
    }
  }

  get isAnother(): boolean {
    return this.#mark !== this.#id;
  }

  acceptLoss(): void {
    this.#mark = this.#id;
  }

  /** Everything is gone, or half of every row of the policy's state. */
  lose(how: 'gone' | 'damaged'): void {
    const rows = [...this.state].filter(([key]) => key.startsWith('policy/'));
    this.state.clear();
    this.open.clear();
    if (how === 'gone') {
      this.#id += 1;
      return;
    }
    for (const [key, text] of rows) this.state.set(key, text.slice(0, text.length / 2));
  }
}

/** What a journal says that was not there before. */
const ANOTHER = 'it is not the journal that was here before';

/** The journal as one daemon has it. Writes take time, and fail while the disk is full; what failed is kept for later. */
export class SimJournal implements ObservableJournal {
  readonly #disk: JournalDisk;
  readonly #timeline: Timeline;
  readonly #later: (ms: number) => Promise<void>;
  readonly #loses: (entry: JournalEntry) => boolean;
  readonly #listeners = new Set<(availability: Availability) => void>();
  /** False, for canaries: a journal that is gone is taken for one that begins. */
  readonly #seesLoss: boolean;
  #availability: Availability;
  #backlog: JournalEntry[] = [];
  /** Ends with the append that was called last. */
  #last: Promise<void> = Promise.resolve();

  constructor(
    disk: JournalDisk,
    timeline: Timeline,
    later: (ms: number) => Promise<void>,
    loses: (entry: JournalEntry) => boolean,
    seesLoss: boolean,
  ) {
    this.#loses = loses;
    this.#disk = disk;
    this.#timeline = timeline;
    this.#later = later;
    this.#seesLoss = seesLoss;
    this.#availability = this.#written();
  }

  get availability(): Availability {
    return this.#availability;
  }

  onAvailability(listener: (availability: Availability) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The disk has filled up, or has space again. */
  diskChanged(): void {
    if (!this.#disk.full) {
      this.#disk.write(this.#backlog);
      this.#backlog = [];
    }
    this.#availability = this.#disk.full
      ? { available: false, sinceMs: this.#timeline.nowMs, error: diskFull() }
      : this.#written();
    this.#tell();
  }

  async acceptLoss(): Promise<void> {
    if (!this.#availability.available || this.#availability.lost === undefined) return;
    await this.#later(FSYNC_MS);
    this.#disk.acceptLoss();
    this.#availability = this.#written();
    this.#tell();
  }

  #written(): Availability {
    const lost = this.#seesLoss && this.#disk.isAnother ? { lost: ANOTHER } : {};
    return { available: true, sinceMs: this.#timeline.nowMs, ...lost };
  }

  #tell(): void {
    this.#timeline.stir();
    for (const listener of this.#listeners) listener(this.#availability);
  }

  /** One after the other, as they were called. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    const written = this.#last.then(() => this.#append(entries));
    this.#last = written.catch(() => {});
    return written;
  }

  async #append(entries: readonly JournalEntry[]): Promise<void> {
    // Only what somebody waits for takes time here: the rest is written behind.
    if (entries.some((entry) => entry.type === 'action-start')) await this.#later(FSYNC_MS);
    if (this.#disk.full) {
      this.#backlog.push(...entries);
      throw diskFull();
    }
    this.#disk.write(entries.filter((entry) => !this.#loses(entry)));
  }

  async read(): Promise<readonly StoredJournalEntry[]> {
    return [];
  }

  async query(): Promise<JournalPage> {
    return { entries: [], next: null };
  }

  async ofActions(): Promise<readonly StoredJournalEntry[]> {
    return [];
  }

  async unfinished(): Promise<readonly StoredJournalEntry[]> {
    return [...this.#disk.open.values()];
  }

  async saveState(values: ReadonlyMap<string, string | null>): Promise<void> {
    await this.#later(FSYNC_MS);
    if (this.#disk.full) throw diskFull();
    for (const [key, value] of values) {
      if (value === null) this.#disk.state.delete(key);
      else this.#disk.state.set(key, value);
    }
  }

  async loadState(prefix: string): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.#disk.state].filter(([key]) => key.startsWith(prefix)));
  }

  async close(): Promise<void> {}
}

function diskFull(): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_JOURNAL', 'no space left on the disk of the journal');
}
