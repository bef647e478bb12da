import type { PolicyEvent } from '../policy/types.js';
import type { Availability, ObservableJournal } from './journal/index.js';
import type { StateStore } from './state-store.js';

export interface JournalWatchOptions {
  readonly journal: ObservableJournal;
  readonly store: StateStore;
  readonly deadlineMs: number;
  readonly post: (event: PolicyEvent) => void;
  /** Shows that something works only in part, or again. */
  readonly degrade: (what: string, why: string | undefined) => void;
}

/** Recovery holds while the journal cannot be written, and where what former runs recorded is lost. */
export class JournalWatch {
  readonly #options: JournalWatchOptions;
  #ignore: () => void = () => {};

  constructor(options: JournalWatchOptions) {
    this.#options = options;
  }

  /** `unread`: why the state of former runs could not be read, if it could not. */
  start(unread: string | undefined): void {
    const { journal } = this.#options;
    this.#ignore = journal.onAvailability((availability) => this.#onAvailability(availability));
    if (unread !== undefined) this.#holdUnread(unread);
    const { availability } = journal;
    if (!availability.available || availability.lost !== undefined) this.#onAvailability(availability);
  }

  stop(): void {
    this.#ignore();
  }

  /** A person goes on without what former runs recorded. */
  async acceptLoss(): Promise<void> {
    const { journal, store, deadlineMs, degrade } = this.#options;
    await journal.acceptLoss({ deadlineMs });
    store.acceptLoss();
    degrade('state', undefined);
  }

  #onAvailability(availability: Availability): void {
    const { degrade, post } = this.#options;
    const { available } = availability;
    if (available) degrade('journal', undefined);
    else degrade('journal', `the journal cannot be written, recovery holds: ${availability.error.message}`);
    post({ type: 'journal', available });
    if (available) this.#noteLoss(availability.lost);
  }

  #noteLoss(why: string | undefined): void {
    const { degrade, post, store } = this.#options;
    if (why === undefined) {
      degrade('journal-lost', undefined);
      return;
    }
    store.forgetWritten();
    degrade('journal-lost', `${why}; recovery holds until vmpulse recovery resume`);
    post({ type: 'journal-lost', why });
  }

  /** Budgets and quarantines of former runs are unknown: nothing is done until a person says so. */
  #holdUnread(why: string): void {
    const { degrade, post } = this.#options;
    degrade('state', `the state of former runs could not be read, recovery holds: ${why}`);
    post({ type: 'journal-lost', why });
  }
}
