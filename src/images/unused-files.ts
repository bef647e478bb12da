import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, isMissingFile, VmpulseError } from '../model/errors.js';
import { readImageHeader } from './image-header.js';

const DAY_MS = 86_400_000;
/** How the files of images are named, wherever it stands in what a disk says that it is laid over. */
const IMAGE_FILE = /[0-9a-f]{64}\.(?:raw|qcow2)/g;
/** A disk that was being made over an image; it gets its name when it is whole. */
const BEGUN_DISK = /\.qcow2\.[0-9a-f-]{36}\.new$/;

/** Something in the store that nobody needs any more. */
export interface UnusedFile {
  readonly path: string;
  readonly why: string;
}

export interface Unused {
  readonly files: readonly UnusedFile[];
  /** Why no image is among them although one might be: what could not be read; unset: all was. */
  readonly unsure?: string;
}

export interface StoreFolders {
  readonly files: string;
  readonly parts: string;
  readonly disks: string;
}

/**
 * What is here for no name and no disk, and the beginnings of images and disks that were given up. An image is gone for ever
 * with its file, so whatever cannot be read may need every one of them. `named` resolves with the files that names stand
 * for, or throws.
 */
export async function unusedFiles(
  { files, parts, disks }: StoreFolders,
  named: () => Promise<readonly string[]>,
  nowMs: number,
): Promise<Unused> {
  let begun = await begunOnes(olderThanDay(parts, nowMs), 'the beginning of an image, a day old or more');
  try {
    // The files first: what a name or a disk is given after this is too young to be among them.
    const old = await olderThanDay(files, nowMs);
    const laid = await filesUnder(disks);
    const disksBegun = await begunOnes(begunDisks(laid, nowMs), 'the beginning of a disk, a day old or more');
    begun = [...begun, ...disksBegun];
    const givenUp = new Set(disksBegun.map(({ path }) => path));
    const kept = await keptFiles(
      laid.filter((path) => !givenUp.has(path)),
      named,
    );
    const replaced = old
      .filter((path) => !kept.has(path.slice(files.length + 1)))
      .map((path) => ({ path, why: 'an image that a later pull has replaced, and no disk is laid over' }));
    return { files: [...replaced, ...begun] };
  } catch (error) {
    return { files: begun, unsure: errorMessage(error) };
  }
}

async function begunOnes(paths: Promise<readonly string[]>, why: string): Promise<readonly UnusedFile[]> {
  return (await paths.catch(() => [])).map((path) => ({ path, why }));
}

/** No making of a disk takes a day: whoever began them died. */
async function begunDisks(laid: readonly string[], nowMs: number): Promise<readonly string[]> {
  const begun = laid.filter((path) => BEGUN_DISK.test(path));
  const changes = await Promise.all(begun.map((path) => changedAtMs(path)));
  return begun.filter((_, i) => nowMs - (changes[i] ?? nowMs) > DAY_MS);
}

/** Names of the files that stay: those that names stand for, and those that disks are laid over. */
async function keptFiles(
  disks: readonly string[],
  named: () => Promise<readonly string[]>,
): Promise<ReadonlySet<string>> {
  return new Set([...(await named()), ...(await Promise.all(disks.map(imagesOf))).flat()]);
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

/** Every file below a folder. Throws where a folder cannot be read. */
async function filesUnder(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const what = await unlessGone(stat(path));
    if (what?.isDirectory()) found.push(...(await filesUnder(path)));
    else if (what !== undefined) found.push(path);
  }
  return found;
}

/** Files of images that a disk is laid over. Throws where it does not say. */
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
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}
