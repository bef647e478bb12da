import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Every file under the given paths (files or folders), sorted. Missing paths are left out.
 *
 * @param {readonly string[]} paths
 * @param {(name: string) => boolean} [skip] names of files and folders to leave out
 * @returns {string[]}
 */
export function listFiles(paths, skip = () => false) {
  const found = [];
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile()) found.push(path);
    if (!stat?.isDirectory()) return;
    for (const name of readdirSync(path)) if (!skip(name)) visit(join(path, name));
  };
  for (const path of paths) visit(path);
  return found.sort();
}

/**
 * One hash over the names and the content of files.
 *
 * @param {readonly string[]} files
 * @returns {string} hex
 */
export function hashFiles(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/**
 * Whether outputs are up to date with their inputs. They are if all exist and the stamp of the last build has
 * the hash of today's inputs. With `trustTimes` they also are if every output is newer than every input: somebody
 * built them by hand, and the stamp alone would build them again. That fits only tools that write nothing when
 * they fail.
 *
 * @param {{ inputs: readonly string[], outputs: readonly string[], stamp: string, trustTimes: boolean }} what
 *   `inputs` are files
 */
export function isFresh({ inputs, outputs, stamp, trustTimes }) {
  const outputTimes = outputs.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs);
  if (outputTimes.some((time) => time === undefined)) return false;
  if (readStamp(stamp) === hashFiles(inputs)) return true;
  const newestInputMs = Math.max(...inputs.map((path) => statSync(path).mtimeMs));
  return trustTimes && outputTimes.every((time) => time > newestInputMs);
}

/** The text of a stamp file, `undefined` if there is none. */
export function readStamp(stamp) {
  try {
    return readFileSync(stamp, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Remembers what inputs the outputs were built from. */
export function writeStamp(stamp, text) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${text}\n`);
}
