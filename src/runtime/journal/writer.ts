import type { JournalEntry } from '../../model/ports.js';
import type { AvailabilityState } from './availability.js';
import type { Backlog, Batch } from './backlog.js';
import type { WorkerLink } from './worker-link.js';

/** How long entries that nobody waits for wait for others: a commit costs more than they do. */
const LAZY_MS = 200;
/** So many do not wait any more. */
const LAZY_ENTRIES = 200;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;

export interface JournalWriterOptions {
  readonly link: WorkerLink;
  readonly backlog: Backlog;
  /** Is told whether writing works. */
  readonly state: AvailabilityState;
  /** Why entries were given up for others. */
  readonly overflow: () => Error;
  /** Everything is on disk. */
  readonly onWritten: () => void;
}

/**
 * Brings entries to the disk, in order: those of one moment in one commit, and the same batch again until the disk takes
 * it. What fails shows in the journal's availability.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  /** Names batches across restarts of the Worker and of the process. */
  readonly #name = crypto.randomUUID();
  #batch: (Batch & { readonly name: string }) | undefined;
  #batches = 0;
  #writing: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retries = 0;
  #ending = false;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  /** Resolves once the entries are on disk. Rejects while writing fails: they are then written as soon as that works. */
  append(entries: readonly JournalEntry[], lazy: boolean): Promise<void> {
    const { backlog, state, overflow } = this.#options;
    const { promise, settle } = waiting();
    // Nothing, for the sake of what waits.
    if (entries.length === 0) settle();
    else backlog.push(entries, settle, overflow);
    const { current } = state;
    if (!current.available) settle(current.error);
    else if (lazy && backlog.count < LAZY_ENTRIES) this.#writeSoon();
    else void this.write();
    return promise;
  }

  /** Writes until nothing waits; one at a time. Never rejects: a failure shows in the availability, and a retry is set. */
  write(): Promise<void> {
    this.#writing ??= this.#writeAll().then((written) => {
      this.#writing = undefined;
      // What was appended between the last look and this turn.
      if (written && !this.#options.backlog.empty) void this.write();
    });
    return this.#writing;
  }

  /** Writes what waits, for the last time. Rejects with the error of a disk that does not take it. */
  async end(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#soon);
    clearTimeout(this.#retry);
    while (!this.#idle) {
      await this.write();
      const { current } = this.#options.state;
      if (!current.available) throw current.error;
    }
  }

  /** Writing does not work. Ends every wait; the entries stay. */
  fail(error: unknown): void {
    this.refuse(this.#options.state.fails(error));
  }

  /** Ends every wait; the entries stay. */
  refuse(error: Error): void {
    this.#batch?.settle(error);
    this.#options.backlog.refuse(error);
  }

  #writeSoon(): void {
    // A write that is under way takes it along; a timer of its own would outlive the journal.
    if (this.#writing === undefined) this.#soon ??= setTimeout(() => void this.write(), LAZY_MS);
  }

  async #writeAll(): Promise<boolean> {
    const { link, state, onWritten } = this.#options;
    clearTimeout(this.#soon);
    this.#soon = undefined;
    try {
      // Either way at least a turn, so that appends of the same moment share the commit.
      if (this.#idle) state.works(await link.request({ op: 'open' }));
      else await Promise.resolve();
      while (!this.#idle) {
        this.#batch ??= this.#nextBatch();
        const { name: batch, packed } = this.#batch;
        const lost = await link.request({ op: 'append', batch, packed });
        this.#batch.settle();
        this.#batch = undefined;
        state.works(lost);
      }
      this.#retries = 0;
      onWritten();
      return true;
    } catch (error) {
      this.fail(error);
      this.#retryLater();
      return false;
    }
  }

  #nextBatch(): Batch & { readonly name: string } {
    const { backlog, state } = this.#options;
    const why = state.current.available ? 'too many at once' : state.current.error.message;
    this.#batches += 1;
    return { name: `${this.#name}/${this.#batches}`, ...backlog.take(why, Date.now()) };
  }

  get #idle(): boolean {
    return this.#batch === undefined && this.#options.backlog.empty;
  }

  #retryLater(): void {
    if (this.#ending) return;
    clearTimeout(this.#retry);
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries);
    this.#retries += 1;
    this.#retry = setTimeout(() => void this.write(), delayMs).unref();
  }
}

function waiting(): { promise: Promise<void>; settle: (error?: Error) => void } {
  let settle: (error?: Error) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  return { promise, settle };
}
