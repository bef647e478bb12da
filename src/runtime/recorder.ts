import type { Clock } from '../model/clock.js';
import type { Logger } from '../model/logger.js';
import type { Journal, JournalEntry } from '../model/ports.js';
import type { RuntimeEvent } from './views.js';

const RING_SIZE = 1024;
const SUBSCRIBER_LIMIT = 4096;
/** Entries of one append: encoding them takes a millisecond or two. */
const APPEND_LIMIT = 200;
/**
 * Entries that the journal was given and has not answered: few enough that its backlog is not outgrown by what all VMs of
 * a host say in one turn, enough that its commits are worth their time.
 */
const MAX_UNANSWERED = 1_000;

/** A wall clock that differs by less from one entry to the next is adjusted, not set. */
const CLOCK_SET_MS = 500;

interface Waiting {
  readonly entry: JournalEntry;
  /** The entry is on disk. */
  readonly resolve: () => void;
  readonly reject: (why: unknown) => void;
}

const nobodyWaits = () => {};

export interface RecorderOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest wait for one durable write, ms. */
  readonly deadlineMs: number;
}

/**
 * Everything that happened goes through here once: into the journal, and to whoever listens live.
 * `note` does not wait; `durable` resolves only when the entry is on disk.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #ring: RuntimeEvent[] = [];
  readonly #wakers = new Set<() => void>();
  #nextId = 1;
  readonly #pending: Waiting[] = [];
  /** Appends under way. */
  readonly #writing = new Set<Promise<void>>();
  #unanswered = 0;
  #isScheduled = false;
  /** Actions that are durably on record as begun, and not as ended. */
  readonly #openActions = new Set<string>();
  /** From the monotonic clock to the wall clock. */
  #clockGapMs: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Records without waiting. Entries of one turn are written together, in order. */
  note(entry: Omit<JournalEntry, 'atMs'> & { readonly atMs?: number }): void {
    if (entry.type === 'action-end' && entry.actionId !== null) this.#openActions.delete(entry.actionId);
    this.#push(entry, nobodyWaits, nobodyWaits);
  }

  /**
   * Records and resolves once durable; rejects with ERR_VMPULSE_JOURNAL when its write fails or is not done by the
   * deadline. What was recorded before is written before.
   */
  durable(entry: Omit<JournalEntry, 'atMs'>): Promise<void> {
    const { type, actionId } = entry;
    return new Promise((resolve, reject) => {
      const onDisk = () => {
        if (type === 'action-start' && actionId !== null) this.#openActions.add(actionId);
        resolve();
      };
      this.#push(entry, onDisk, reject);
    });
  }

  /** The beginning of the action is on disk, and nothing was said of its end. */
  isOpen(actionId: string): boolean {
    return this.#openActions.has(actionId);
  }

  /** Records that the wall clock was set, if it was since the last time: a replay must know, for timers do not. */
  noteClock(): void {
    const { clock } = this.#options;
    const before = this.#clockGapMs;
    this.#clockGapMs = clock.now() - clock.monotonic();
    const byMs = Math.round(this.#clockGapMs - (before ?? this.#clockGapMs));
    if (Math.abs(byMs) < CLOCK_SET_MS) return;
    const text = `the clock was set ${byMs > 0 ? 'forward' : 'back'} by ${Math.abs(byMs) / 1000} s`;
    this.note({
      vm: null,
      type: 'input',
      actionId: null,
      text,
      data: { event: { type: 'clock-set', byMs } },
    });
  }

  /** Resolves when everything noted so far was handed to the journal and answered. */
  async settled(): Promise<void> {
    const last = this.#nextId - 1;
    this.#flush();
    while (this.#answered < last && this.#writing.size > 0) {
      // What nobody waited for until now.
      await answer(this.#append([]), []);
      if (this.#writing.size > 0) await Promise.race(this.#writing);
    }
  }

  /** How many entries the journal has answered for; they are answered in order. */
  get #answered(): number {
    return this.#nextId - 1 - this.#pending.length - this.#unanswered;
  }

  /** Events after `afterId` that the ring still has, then live ones, until abort. */
  async *events(options: { afterId?: number; signal: AbortSignal }): AsyncIterableIterator<RuntimeEvent> {
    let lastId = options.afterId ?? this.#nextId - 1;
    let wake = () => {};
    const waker = () => wake();
    this.#wakers.add(waker);
    options.signal.addEventListener('abort', waker, { once: true });
    try {
      while (!options.signal.aborted) {
        const fresh = this.#ring.filter((event) => event.id > lastId).slice(0, SUBSCRIBER_LIMIT);
        for (const event of fresh) {
          lastId = event.id;
          yield event;
        }
        if (fresh.length > 0) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (options.signal.aborted || this.#nextId - 1 > lastId) resolve();
        });
      }
    } finally {
      this.#wakers.delete(waker);
      options.signal.removeEventListener('abort', waker);
    }
  }

  #push(
    entry: Omit<JournalEntry, 'atMs'> & { readonly atMs?: number },
    resolve: Waiting['resolve'],
    reject: Waiting['reject'],
  ): void {
    this.noteClock();
    this.#pending.push({ entry: this.#publish(entry), resolve, reject });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #publish(entry: Omit<JournalEntry, 'atMs'> & { readonly atMs?: number }): JournalEntry {
    const full: JournalEntry = { ...entry, atMs: entry.atMs ?? this.#options.clock.now() };
    const { atMs, vm, type, text, data } = full;
    this.#ring.push({ id: this.#nextId++, atMs, vm, type, text, data });
    if (this.#ring.length > RING_SIZE) this.#ring.shift();
    for (const wake of this.#wakers) wake();
    this.#options.logger.info({ vm, type, ...data }, text);
    return full;
  }

  /** Hands over what waits, as far as the journal may have it now; the rest as it answers. */
  #flush(): void {
    this.#isScheduled = false;
    while (this.#pending.length > 0 && this.#unanswered < MAX_UNANSWERED) {
      const batch = this.#pending.splice(0, APPEND_LIMIT);
      const { length } = batch;
      this.#unanswered += length;
      const written = answer(this.#append(batch), batch.filter(waits)).then(() => {
        this.#writing.delete(written);
        this.#unanswered -= length;
        this.#flush();
      });
      this.#writing.add(written);
    }
  }

  // Not async: what was recorded must not stay in memory until it is on disk, in a frame that waits.
  #append(batch: readonly Waiting[]): Promise<void> {
    const { journal, deadlineMs } = this.#options;
    try {
      return journal.append(
        batch.map(({ entry }) => entry),
        { deadlineMs, lazy: batch.length > 0 && !batch.some(waits) },
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function waits({ resolve }: Waiting): boolean {
  return resolve !== nobodyWaits;
}

/** Never rejects: the journal tells by itself that it fails, keeps what it was given, and writes it later. */
async function answer(written: Promise<void>, waiting: readonly Waiting[]): Promise<void> {
  try {
    await written;
  } catch (error) {
    for (const { reject } of waiting) reject(error);
    return;
  }
  for (const { resolve } of waiting) resolve();
}
