import type { ErrorCode } from '../../model/errors.js';
import type { JournalPage, JournalQuery } from '../../model/journal-query.js';
import type { StoredJournalEntry } from '../../model/ports.js';

/** What the journal asks its Worker to do; answered in order. */
export type JournalCommand =
  /** Every other command opens the file too, where it is not open; this one only tells whether that works. */
  | { readonly op: 'open' }
  /** `packed`: of packEntries. */
  | { readonly op: 'append'; readonly batch: string; readonly packed: readonly string[] }
  | {
      readonly op: 'read';
      readonly query: { readonly afterSeq?: number | undefined; readonly limit: number };
    }
  | { readonly op: 'query'; readonly query: JournalQuery }
  | { readonly op: 'ofActions'; readonly ids: readonly string[] }
  | { readonly op: 'unfinished' }
  | { readonly op: 'saveState'; readonly values: ReadonlyMap<string, string | null> }
  | { readonly op: 'loadState'; readonly prefix: string }
  | { readonly op: 'prune'; readonly nowMs: number }
  /** A person goes on with this journal although another one was here before. */
  | { readonly op: 'acceptLoss' }
  /** The Worker ends by itself after the answer. */
  | { readonly op: 'close' };

/** What each command is answered with. */
export interface JournalResults {
  /** Why what was written before is gone; null: it is not. */
  readonly open: string | null;
  /** As `open`. */
  readonly append: string | null;
  readonly read: readonly StoredJournalEntry[];
  readonly query: JournalPage;
  readonly ofActions: readonly StoredJournalEntry[];
  readonly unfinished: readonly StoredJournalEntry[];
  readonly saveState: null;
  readonly loadState: ReadonlyMap<string, string>;
  /** True: there is more to prune. */
  readonly prune: boolean;
  readonly acceptLoss: null;
  readonly close: null;
}

export type JournalOp = JournalCommand['op'];

export interface JournalRequest {
  readonly id: number;
  readonly command: JournalCommand;
}

export type JournalReply =
  | { readonly id: number; readonly ok: true; readonly value: JournalResults[JournalOp] }
  | { readonly id: number; readonly ok: false; readonly code: ErrorCode; readonly message: string };
