import type { JournalEntry, StoredJournalEntry } from './ports.js';
import type { ReasonClass } from './reasons.js';
import type { VmId } from './vm.js';

/** Every type of entry. */
export const JOURNAL_TYPES = [
  'transition',
  'health',
  'decision',
  'action-start',
  'action-end',
  'vmm-event',
  'operator',
  'input',
  'daemon',
] as const satisfies readonly JournalEntry['type'][];

export type JournalType = (typeof JOURNAL_TYPES)[number];

/** What of the journal is wanted, by the time of its entries. What is left out does not matter. */
export interface JournalQuery {
  readonly vm?: VmId;
  readonly types?: readonly JournalType[];
  /** Only transitions of probes to `failed` or `blind` whose reason is of one of these classes. */
  readonly classes?: readonly ReasonClass[];
  /** Wall-clock ms, inclusive. */
  readonly fromMs?: number;
  /** Wall-clock ms, exclusive. */
  readonly untilMs?: number;
  /** Which come first. */
  readonly order: 'newest' | 'oldest';
  /** `next` of the page before; opaque. */
  readonly cursor?: string;
  /** Entries of one page, at most 10,000. */
  readonly limit: number;
}

export interface JournalPage {
  readonly entries: readonly StoredJournalEntry[];
  /** The cursor of the page that follows; null: there is none. */
  readonly next: string | null;
}
