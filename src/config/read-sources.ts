import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deadline } from '../model/deadline.js';
import { errnoOf, errorMessage, isVmpulseError } from '../model/errors.js';
import { MAX_FILE_BYTES, type SourceFile, tooLarge, type UnreadableFile } from './source-document.js';

/** One entry of `manifests`, as it was found. */
export interface ManifestSource {
  readonly path: string;
  /** `empty` and `missing` only stop the watching of VMs, they never stop VMs. */
  readonly state: 'read' | 'empty' | 'missing';
  readonly files: readonly (SourceFile | UnreadableFile)[];
}

const MAX_FILES = 10_000;
const DOCUMENT_NAME = /^[^.].*\.(ya?ml|json)$/;

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error));
}

function whyUnreadable(error: unknown, missing: string): string {
  if (isGone(error)) return missing;
  if (errnoOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8; save it as UTF-8';
  return `cannot be read (${errorMessage(error)}); check the file and its permissions`;
}

/** Reads one file as UTF-8, bounded. `missing` is the problem where there is none. Throws only at the deadline. */
export async function readSourceFile(
  path: string,
  deadline: Deadline,
  missing: string,
): Promise<SourceFile | UnreadableFile> {
  try {
    const found = await deadline.race(stat(path));
    if (!found.isFile()) return { path, problem: 'is not a file; name a file' };
    if (found.size > MAX_FILE_BYTES) return { path, problem: tooLarge(found.size) };
    const bytes = await deadline.race(readFile(path));
    return { path, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    if (isVmpulseError(error)) throw error;
    return { path, problem: whyUnreadable(error, missing) };
  }
}

/** Reads a directory of documents (`*.yaml`, `*.yml`, `*.json`, not below it, not hidden) or one file. */
export async function readManifestSource(path: string, deadline: Deadline): Promise<ManifestSource> {
  const gone = 'went away while it was read; reload once more';
  let names: string[];
  try {
    if (!(await deadline.race(stat(path))).isDirectory()) {
      return { path, state: 'read', files: [await readSourceFile(path, deadline, gone)] };
    }
    names = (await deadline.race(readdir(path))).filter((name) => DOCUMENT_NAME.test(name)).sort();
  } catch (error) {
    if (isVmpulseError(error)) throw error;
    if (isGone(error)) return { path, state: 'missing', files: [] };
    return { path, state: 'read', files: [{ path, problem: whyUnreadable(error, gone) }] };
  }
  if (names.length > MAX_FILES) {
    const problem = `has ${names.length} files; put several documents into one, at most ${MAX_FILES} are read`;
    return { path, state: 'read', files: [{ path, problem }] };
  }
  const files: (SourceFile | UnreadableFile)[] = [];
  for (const name of names) files.push(await readSourceFile(join(path, name), deadline, gone));
  return { path, state: files.length === 0 ? 'empty' : 'read', files };
}
