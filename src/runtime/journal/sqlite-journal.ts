import { Deadline } from '../../model/deadline.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { JournalPage, JournalQuery } from '../../model/journal-query.js';
import { type Logger, silentLogger } from '../../model/logger.js';
import type { AppendOptions, CallOptions, JournalEntry, StoredJournalEntry } from '../../model/ports.js';
import { type Availability, AvailabilityState, type ObservableJournal } from './availability.js';
import { Backlog } from './backlog.js';
import type { JournalCommand, JournalResults } from './protocol.js';
import { Pruner } from './pruner.js';
import { MAX_READ, pageSize, placeOf } from './query.js';
import { WorkerLink } from './worker-link.js';
import { JournalWriter } from './writer.js';

export interface SqliteJournalOptions {
  /** The SQLite file; made when missing, its folder must exist. */
  readonly path: string;
  /** Age at which entries go, ms, except the newest 10,000; default 30 days. */
  readonly maxAgeMs?: number;
  /** Size of the file from which on the oldest entries go, bytes, except the newest 1000; default 1 GiB. */
  readonly maxBytes?: number;
  /** Entries that wait for the disk while it fails, bytes; default 16 MiB. */
  readonly maxBacklogBytes?: number;
  /** Longest wait of open(), reads and close(), ms; default 5000. */
  readonly deadlineMs?: number;
  readonly logger?: Logger;
}

const DAY_MS = 24 * 3_600_000;
/** So many are asked for at once at most. */
const MAX_ACTIONS = 1_000;
const NO_JSON = 'the data of a journal entry is no JSON; the entry is kept without it';

/**
 * The journal in an SQLite file, on a Worker of its own. Appends of one moment share a commit (synchronous=FULL).
 *
 * While the disk fails or is full, `append` rejects at once with ERR_VMPULSE_JOURNAL, but what it was given is kept
 * (bounded), in order, and written once the disk works again; `availability` says which it is.
 */
export class SqliteJournal implements ObservableJournal {
  readonly #options: Required<SqliteJournalOptions>;
  readonly #link: WorkerLink;
  readonly #writer: JournalWriter;
  readonly #pruner: Pruner;
  readonly #state = new AvailabilityState();
  #closing: Promise<void> | undefined;

  private constructor(options: SqliteJournalOptions) {
    this.#options = {
      maxAgeMs: 30 * DAY_MS,
      maxBytes: 1024 ** 3,
      maxBacklogBytes: 16 * 1024 * 1024,
      deadlineMs: 5_000,
      logger: silentLogger,
      ...options,
    };
    const { path, maxAgeMs, maxBytes, maxBacklogBytes, logger } = this.#options;
    this.#link = new WorkerLink({ path, maxAgeMs, maxBytes });
    this.#pruner = new Pruner(() => this.#ask({ op: 'prune', nowMs: Date.now() }));
    this.#writer = new JournalWriter({
      link: this.#link,
      backlog: new Backlog(maxBacklogBytes, ({ vm, type, text }, why) =>
        logger.error({ code: 'ERR_VMPULSE_ARGUMENT', vm, type, text, why }, NO_JSON),
      ),
      state: this.#state,
      overflow: () => overflow(maxBacklogBytes),
      onWritten: () => this.#pruner.soon(),
    });
  }

  /**
   * Opens the journal. Rejects with ERR_VMPULSE_JOURNAL_VERSION when a newer vmpulse wrote it. A damaged one is moved
   * aside (`<path>.damaged-<time>`) and another begun, whose `availability` says what was lost. Any other trouble (a full
   * disk, missing rights) gives a journal that is unavailable with its cause and goes on trying: probing must not depend
   * on a disk.
   */
  static async open(options: SqliteJournalOptions): Promise<SqliteJournal> {
    const journal = new SqliteJournal(options);
    const writer = journal.#writer;
    await journal.#within(writer.write(), journal.#options).catch((error) => writer.fail(error));
    const { availability } = journal;
    if (!availability.available && availability.error.code === 'ERR_VMPULSE_JOURNAL_VERSION') {
      await journal.close();
      throw availability.error;
    }
    return journal;
  }

  get availability(): Availability {
    return this.#state.current;
  }

  onAvailability(listener: (availability: Availability) => void): () => void {
    return this.#state.onChange(listener);
  }

  /**
   * Resolves once the entries are on disk. Rejects with ERR_VMPULSE_JOURNAL at the deadline or when writing fails: the
   * entries are then still written as soon as that works. Data that is no JSON is left out
   * of its entry, which says why, and is logged as ERR_VMPULSE_ARGUMENT.
   */
  append(entries: readonly JournalEntry[], options: AppendOptions): Promise<void> {
    // Not async: the entries must not stay in memory until they are on disk, in a frame that waits.
    try {
      this.#assertOpen();
      const written = this.#writer.append(entries, options.lazy ?? false);
      return this.#within(written, options, (late) => this.#writer.fail(late));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** In the order of writing: with `afterSeq` the entries after it; without, the newest. At most 10,000, oldest first. */
  async read(query: { afterSeq?: number; limit: number }): Promise<readonly StoredJournalEntry[]> {
    const limit = Math.max(0, Math.min(MAX_READ, Math.trunc(query.limit)));
    return this.#ask({ op: 'read', query: { afterSeq: query.afterSeq, limit } });
  }

  async query(query: JournalQuery): Promise<JournalPage> {
    // A wrong cursor is told here: an error of the Worker is one of the file.
    if (query.cursor !== undefined) placeOf(query.cursor);
    return this.#ask({ op: 'query', query: { ...query, limit: pageSize(query) } });
  }

  async ofActions(ids: readonly string[]): Promise<readonly StoredJournalEntry[]> {
    return this.#ask({ op: 'ofActions', ids: ids.slice(0, MAX_ACTIONS) });
  }

  async unfinished(): Promise<readonly StoredJournalEntry[]> {
    return this.#ask({ op: 'unfinished' });
  }

  async saveState(values: ReadonlyMap<string, string | null>, options: CallOptions): Promise<void> {
    await this.#ask({ op: 'saveState', values }, options);
  }

  async loadState(prefix: string): Promise<ReadonlyMap<string, string>> {
    return this.#ask({ op: 'loadState', prefix });
  }

  async acceptLoss(options: CallOptions): Promise<void> {
    if (this.#state.lost === undefined) return;
    await this.#ask({ op: 'acceptLoss' }, options);
    this.#state.works(null);
  }

  /** Writes what waits, as long as the disk takes it, and frees the Worker. Idempotent; ends in bounded time. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { deadlineMs, logger, path } = this.#options;
    this.#pruner.stop();
    const tell = (text: string) => (error: unknown) =>
      logger.error({ path, error: errorMessage(error) }, text);
    await this.#within(this.#writer.end(), { deadlineMs }).catch(
      tell('the journal was closed before everything was written'),
    );
    this.#writer.refuse(new VmpulseError('ERR_VMPULSE_CLOSED', 'the journal was closed'));
    // Past the deadline the thread still ends by itself, as soon as the disk lets it.
    await this.#within(this.#link.close(), { deadlineMs }).catch(tell('the journal did not close in time'));
  }

  async #ask<C extends JournalCommand>(
    command: C,
    options: CallOptions = { deadlineMs: this.#options.deadlineMs },
  ): Promise<JournalResults[C['op']]> {
    this.#assertOpen();
    try {
      return await this.#within(this.#link.request(command), options);
    } catch (error) {
      // Perhaps the file is another one now, which nobody has written to yet.
      if (isVmpulseError(error, 'ERR_VMPULSE_JOURNAL') && !this.#closing) void this.#writer.write();
      throw error;
    }
  }

  async #within<T>(
    promise: Promise<T>,
    options: CallOptions,
    onLate?: (late: VmpulseError) => void,
  ): Promise<T> {
    const { path } = this.#options;
    try {
      return await new Deadline(`the journal ${path}`, options).race(promise);
    } catch (error) {
      if (!isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) throw error;
      const text = `${path} did not take or give anything for ${options.deadlineMs} ms; is its disk stalled?`;
      const late = new VmpulseError('ERR_VMPULSE_JOURNAL', text);
      onLate?.(late);
      throw late;
    }
  }

  #assertOpen(): void {
    if (this.#closing) throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the journal was closed');
  }
}

function overflow(maxBytes: number): VmpulseError {
  const megabytes = Math.round(maxBytes / 1024 / 1024);
  return new VmpulseError(
    'ERR_VMPULSE_JOURNAL',
    `more than ${megabytes} MiB of journal entries wait for the disk; the oldest were given up`,
  );
}
