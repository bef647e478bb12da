import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import type { JournalEntry, StoredJournalEntry } from '../../model/ports.js';

/** A longer text is cut. */
export const MAX_TEXT_CHARS = 4096;
/** Larger data is replaced by a note that says how large it was. */
export const MAX_DATA_CHARS = 64 * 1024;

/** An entry as it is stored: plain columns, bounded. */
export interface EntryRow {
  readonly atMs: number;
  readonly vm: string | null;
  readonly type: string;
  readonly actionId: string | null;
  readonly text: string;
  readonly data: string;
}

const ENTRY_TYPES = [
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

/** Makes the row of an entry. Throws ERR_VMPULSE_ARGUMENT for data that is no JSON. */
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
  };
}

/** What the row will take in memory and on disk, roughly, in bytes. */
export function rowBytes(row: EntryRow): number {
  return 100 + row.text.length + row.data.length;
}

function encodeData(entry: JournalEntry): string {
  let data: string;
  try {
    data = JSON.stringify(entry.data);
  } catch (cause) {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the data of journal entry "${entry.text}" is no JSON`, {
      cause,
    });
  }
  return data.length > MAX_DATA_CHARS
    ? JSON.stringify({ dropped: `${data.length} characters of data` })
    : data;
}

// The SQLite binding reads a text only up to its first NUL.
function storable(text: string): string {
  return text.replaceAll('\0', '\\0');
}

/** A row as SQLite gives it back. The file may have been written by anybody, so it is looked at. */
const storedRow = z.object({
  seq: z.number(),
  at_ms: z.number(),
  vm: z.string().nullable(),
  type: z.enum(ENTRY_TYPES),
  action_id: z.string().nullable(),
  text: z.string(),
  data: z.string(),
});

const jsonObject = z.record(z.string(), z.unknown());

/** Data as it was stored, back to an object. */
export function decodeData(data: string): Record<string, unknown> {
  return jsonObject.parse(JSON.parse(data));
}

/** Reads rows of the table `entries`. Throws ERR_VMPULSE_JOURNAL for one that vmpulse did not write. */
export function decodeRows(rows: readonly unknown[]): StoredJournalEntry[] {
  try {
    return rows.map((raw) => {
      const row = storedRow.parse(raw);
      return {
        seq: row.seq,
        atMs: row.at_ms,
        vm: row.vm,
        type: row.type,
        actionId: row.action_id,
        text: row.text,
        data: decodeData(row.data),
      };
    });
  } catch (cause) {
    throw new VmpulseError('ERR_VMPULSE_JOURNAL', 'the journal holds an entry that vmpulse did not write', {
      cause,
    });
  }
}
