import { z } from 'zod';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { JOURNAL_TYPES, type JournalType } from '../../model/journal-query.js';
import type { JournalEntry, StoredJournalEntry } from '../../model/ports.js';
import { isReason, REASON_CLASS, type ReasonClass } from '../../model/reasons.js';

/** A longer text is cut. */
export const MAX_TEXT_CHARS = 4096;
/** Larger data is replaced by a note that says how large it was; data that is no JSON by one that says why. */
export const MAX_DATA_CHARS = 64 * 1024;

/** An entry as it is stored: plain columns, bounded. */
export interface EntryRow {
  readonly atMs: number;
  readonly vm: string | null;
  readonly type: string;
  readonly actionId: string | null;
  readonly text: string;
  readonly data: string;
  /** See classOf. */
  readonly class: ReasonClass | null;
}

/** An entry on its way to the Worker: time, VM, type, action, text, data. */
type PackedEntry = readonly [
  atMs: number,
  vm: string | null,
  type: JournalEntry['type'],
  actionId: string | null,
  text: string,
  data: JournalEntry['data'],
];

/**
 * Entries as one text, which is cheap to make and to hand over, and holds no object of the caller's alive. One whose data
 * is no JSON goes without it, and does not keep the others; `refused` is told which and why.
 */
export function packEntries(
  entries: readonly JournalEntry[],
  refused: (entry: JournalEntry, why: string) => void,
): string {
  try {
    return packed(entries);
  } catch {
    return packed(
      entries.map((entry) => {
        const why = whyNoJson(entry.data);
        if (why === undefined) return entry;
        refused(entry, why);
        return { ...entry, data: withoutData(why) };
      }),
    );
  }
}

function packed(entries: readonly JournalEntry[]): string {
  return JSON.stringify(
    entries.map(
      ({ atMs, vm, type, actionId, text, data }): PackedEntry => [atMs, vm, type, actionId, text, data],
    ),
  );
}

/** The rows of what packEntries made. */
export function unpackRows(packed: string): EntryRow[] {
  const entries: readonly PackedEntry[] = JSON.parse(packed);
  return entries.map(([atMs, vm, type, actionId, text, data]) =>
    encodeEntry({ atMs, vm, type, actionId, text, data }),
  );
}

/** Makes the row of an entry. */
export function encodeEntry(entry: JournalEntry): EntryRow {
  return {
    atMs: Math.round(entry.atMs),
    vm: entry.vm,
    type: entry.type,
    actionId: entry.actionId,
    text: storable(
      entry.text.length > MAX_TEXT_CHARS ? `${entry.text.slice(0, MAX_TEXT_CHARS)}…` : entry.text,
    ),
    data: encodeData(entry),
    class: classOf(entry),
  };
}

/** The class of the reason for which a probe turned `failed` or `blind`; null for every other entry. */
export function classOf({
  type,
  data: { to, reason },
}: Pick<JournalEntry, 'type' | 'data'>): ReasonClass | null {
  const isFailure = type === 'transition' && (to === 'failed' || to === 'blind');
  return isFailure && typeof reason === 'string' && isReason(reason) ? REASON_CLASS[reason] : null;
}

/** Undefined: it is JSON. */
function whyNoJson(data: JournalEntry['data']): string | undefined {
  try {
    JSON.stringify(data);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

function withoutData(why: string): JournalEntry['data'] {
  return { dropped: 'data that is no JSON', code: 'ERR_VMPULSE_ARGUMENT', why };
}

function encodeData(entry: JournalEntry): string {
  let data: string;
  try {
    data = JSON.stringify(entry.data);
  } catch (error) {
    data = JSON.stringify(withoutData(errorMessage(error)));
  }
  return data.length > MAX_DATA_CHARS
    ? JSON.stringify({ dropped: `${data.length} characters of data` })
    : data;
}

// The SQLite binding reads a text only up to its first NUL.
function storable(text: string): string {
  return text.replaceAll('\0', '\\0');
}

/** What is read of an entry, in the order in which decodeRows takes it. */
export function entryColumns(table = 'entries'): string {
  return ['seq', 'at_ms', 'vm', 'type', 'action_id', 'text', 'data']
    .map((name) => `${table}.${name}`)
    .join(', ');
}

/** A row of the table `state`. */
export const stateRow = z.object({ key: z.string(), value: z.string() });

/** Data as it was stored, back to an object. Throws when it is none. */
export function decodeData(data: string): Record<string, unknown> {
  const value: unknown = JSON.parse(data);
  if (isObject(value)) return value;
  throw new TypeError('the data of a journal entry are no object');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads rows of the table `entries` (entryColumns, as arrays). Throws ERR_VMPULSE_JOURNAL for one that vmpulse did not
 * write, or that the disk has changed.
 */
export function decodeRows(rows: readonly unknown[]): StoredJournalEntry[] {
  try {
    return rows.map(decodeRow);
  } catch (cause) {
    throw new VmpulseError('ERR_VMPULSE_JOURNAL', 'the journal holds an entry that vmpulse did not write', {
      cause,
    });
  }
}

const placeOfRow = z.tuple([z.number(), z.number()]).rest(z.unknown());

/** As decodeRows, for people: in place of a row that cannot be read stands an entry that says so, and the rest is told. */
export function decodeReadable(rows: readonly unknown[]): StoredJournalEntry[] {
  return rows.map((row) => {
    try {
      return decodeRow(row);
    } catch {
      const [seq, atMs] = placeOfRow.parse(row);
      const text = 'this entry cannot be read: it was changed on the disk, or vmpulse did not write it';
      return { seq, atMs, vm: null, type: 'daemon', actionId: null, text, data: {} };
    }
  });
}

const TYPES: ReadonlyMap<unknown, JournalType> = new Map(JOURNAL_TYPES.map((type) => [type, type]));

/** The file may have been written by anybody, so each value is looked at; by hand, as a page has thousands of them. */
function decodeRow(row: unknown): StoredJournalEntry {
  if (!Array.isArray(row)) throw new TypeError('a row is no array');
  const [seq, atMs, vm, type, actionId, text, data]: readonly unknown[] = row;
  const known = TYPES.get(type);
  const fits = typeof seq === 'number' && typeof atMs === 'number' && known !== undefined;
  if (!fits || !isTextOrNull(vm) || !isTextOrNull(actionId))
    throw new TypeError('a column is of another type');
  if (typeof text !== 'string' || typeof data !== 'string') throw new TypeError('a column is no text');
  return { seq, atMs, vm, type: known, actionId, text, data: decodeData(data) };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
