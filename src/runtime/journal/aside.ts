import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'libsql';
import { VmpulseError } from '../../model/errors.js';
import { stateRow } from './entry-codec.js';

/** So many damaged journals may lie beside the one in use: a disk that damages every one must not be filled with them. */
const MAX_ASIDE = 5;
const WITH_LOG = ['', '-wal', '-shm'];

/** Files beside `path` that are damaged journals, oldest first. */
export function damagedBeside(path: string): string[] {
  const folder = dirname(path);
  const isDamaged = (name: string) =>
    name.startsWith(`${basename(path)}.damaged-`) && !WITH_LOG.slice(1).some((log) => name.endsWith(log));
  return readdirSync(folder)
    .filter(isDamaged)
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Moves a damaged journal out of the way, with its write-ahead log: `<path>.damaged-<time>`. Nobody has it open. Returns
 * its new name. Throws ERR_VMPULSE_JOURNAL when too many lie there already, and what the file system does.
 */
export function moveAside(path: string, nowMs: number): string {
  const there = damagedBeside(path);
  if (there.length >= MAX_ASIDE)
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      `${path} is damaged, and ${there.length} damaged journals lie beside it: look at the disk, then move those away`,
    );
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  let aside = `${path}.damaged-${time}`;
  for (let n = 2; existsSync(aside); n++) aside = `${path}.damaged-${time}.${n}`;
  // The log last: SQLite removes one that belongs to no file, and a file without its log could pass for a whole one.
  for (const part of WITH_LOG) if (existsSync(path + part)) renameSync(path + part, aside + part);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return aside;
}

/** What can still be read of the state in a damaged journal. */
export function readableState(path: string): Map<string, string> {
  const found = new Map<string, string>();
  try {
    const db = new Database(path);
    try {
      for (const row of db.prepare('SELECT key, value FROM state').iterate()) {
        const { data } = stateRow.safeParse(row);
        if (data !== undefined) found.set(data.key, data.value);
      }
    } finally {
      db.close();
    }
  } catch {
    // What was read until then is what there is.
  }
  return found;
}
