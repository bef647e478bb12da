import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VmpulseError } from '../model/errors.js';
import { readImageHeader } from './image-header.js';

const DAY_MS = 86_400_000;
/** How the files of images are named, wherever it stands in what a disk says that it is laid over. */
const IMAGE_FILE = /[0-9a-f]{64}\.(?:raw|qcow2)/g;

/** Something in the store that nobody needs any more. */
export interface UnusedFile {
  readonly path: string;
  readonly why: string;
}

export interface StoreFolders {
  readonly files: string;
  readonly parts: string;
  readonly disks: string;
}

/**
 * What is here for no name and no disk, and the beginnings that pulls have left. An image is gone for ever with its file, so
 * whatever cannot be read may need every one of them. `named` resolves with the files that names stand for, or throws.
 */
export async function unusedFiles(
  { files, parts, disks }: StoreFolders,
  named: () => Promise<readonly string[]>,
  nowMs: number,
): Promise<readonly UnusedFile[]> {
  const replaced = await replacedFiles(files, disks, named, nowMs).catch(() => []);
  const begun = (await olderThanDay(parts, nowMs).catch(() => [])).map((path) => ({
    path,
    why: 'the beginning of an image, a day old or more',
  }));
  return [...replaced, ...begun];
}

async function replacedFiles(
  files: string,
  disks: string,
  named: () => Promise<readonly string[]>,
  nowMs: number,
): Promise<readonly UnusedFile[]> {
  // The files first: what a name or a disk is given after this is too young to be among them.
  const old = await olderThanDay(files, nowMs);
  const kept = new Set([...(await named()), ...(await imagesUnder(disks))]);
  return old
    .filter((path) => !kept.has(path.slice(files.length + 1)))
    .map((path) => ({ path, why: 'an image that a later pull has replaced, and no disk is laid over' }));
}

async function olderThanDay(folder: string, nowMs: number): Promise<readonly string[]> {
  const paths = (await namesIn(folder)).map((name) => join(folder, name));
  const changes = await Promise.all(paths.map(async (path) => nowMs - (await changedAtMs(path))));
  return paths.filter((_, i) => (changes[i] ?? 0) > DAY_MS);
}

/** The last change of name, mode or content, of a folder also of what is in it; what is gone has just changed. */
async function changedAtMs(path: string): Promise<number> {
  const found = await unlessGone(stat(path));
  if (found === undefined) return Number.POSITIVE_INFINITY;
  const inside = found.isDirectory() ? (await namesIn(path)).map((name) => join(path, name)) : [];
  const changes = await Promise.all(inside.map((each) => changedAtMs(each)));
  return Math.max(found.ctimeMs, found.mtimeMs, ...changes);
}

/** Files of images that the disks below a folder are laid over. Throws where one does not say. */
async function imagesUnder(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const what = await unlessGone(stat(path));
    if (what?.isDirectory()) found.push(...(await imagesUnder(path)));
    else if (what !== undefined) found.push(...(await imagesOf(path)));
  }
  return found;
}

async function imagesOf(path: string): Promise<readonly string[]> {
  const header = await unlessGone(readImageHeader(path));
  if (header?.format === 'raw' && path.includes('.qcow2'))
    throw new VmpulseError('ERR_VMPULSE_STORAGE', `${path} has not the header of its format`);
  return header?.backing?.match(IMAGE_FILE) ?? [];
}

export async function namesIn(folder: string): Promise<readonly string[]> {
  return ((await unlessGone(readdir(folder))) ?? []).sort();
}

/** Only what is not there is nothing; what cannot be read is an error. */
async function unlessGone<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
