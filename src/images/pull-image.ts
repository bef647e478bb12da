import { chmod, rename, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { syncFolder } from '../kernel/durable-file.js';
import { FileLock, kernelMissing } from '../kernel/index.js';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';
import { type Checksum, digestsOf } from './checksum.js';
import { download } from './download.js';
import { hasCredentials, isHttp, shownUrl } from './follow.js';
import { SECTOR_BYTES } from './foreign-formats.js';
import { type ImageFormat, readImageHeader } from './image-header.js';
import { type ImageRecord, type ImageStore, imageNameProblem } from './image-store.js';
import { copyLocalFile, sizeOfLocalFile } from './local-file.js';
import { Part } from './part.js';

export interface PullOptions extends CallOptions {
  readonly store: ImageStore;
  /** Absolute path, or http(s) URL. */
  readonly source: string;
  readonly name: string;
  readonly checksum?: Checksum | undefined;
  /** What it must be; default what the ending of the source says (`.qcow2`, `.raw`), else what its content is. */
  readonly format?: ImageFormat | undefined;
  readonly maxBytes: number;
  readonly nowMs: number;
}

/**
 * Brings an image into the store under a name; what the name stood for before stays for the disks that are laid over it.
 * Throws ERR_VMPULSE_ARGUMENT, ERR_VMPULSE_LOCKED while the same name is pulled, ERR_VMPULSE_STORAGE.
 */
export async function pullImage(options: PullOptions): Promise<ImageRecord> {
  const { store, name, deadlineMs, signal } = options;
  const from = sourceOf(options);
  await store.prepare();
  const part = new Part(store.partFolder(name));
  await part.prepare();
  const lock = kernelMissing() === undefined ? new FileLock(part.lock) : undefined;
  const late = AbortSignal.timeout(deadlineMs);
  const either = signal === undefined ? late : AbortSignal.any([late, signal]);
  try {
    const source = await bring(from, options, part, either);
    const record = await accept(options, part, source, either);
    await store.put(record);
    return record;
  } finally {
    lock?.remove();
    await part.tidy();
  }
}

/**
 * What pullImage would do, in words; throws what it would of a name, a source or a file of this host that does not fit. Changes
 * nothing and asks no server.
 */
export async function previewPull(
  options: Omit<PullOptions, 'nowMs' | 'deadlineMs' | 'signal'>,
): Promise<string> {
  const { store, name, maxBytes, format: wanted } = options;
  const from = sourceOf(options);
  const what = 'url' in from ? shownUrl(from.url) : await lookedAt(from.path, maxBytes, wanted);
  const former = (await store.list()).find((image) => image.name === name);
  const instead = former === undefined ? '' : `, instead of sha256:${former.sha256}`;
  return `pull ${what} as ${name}${instead}`;
}

async function lookedAt(path: string, maxBytes: number, wanted: ImageFormat | undefined): Promise<string> {
  const size = await sizeOfLocalFile(path, maxBytes);
  return `${path} (${await formatOf(path, size, path, wanted)}, ${size} bytes)`;
}

type Source = { readonly path: string } | { readonly url: URL };

/** Where it comes from. Throws ERR_VMPULSE_ARGUMENT for what cannot be pulled, or not under that name. */
function sourceOf({ source, name, checksum }: Pick<PullOptions, 'source' | 'name' | 'checksum'>): Source {
  const problem = imageNameProblem(name);
  if (problem !== undefined) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the name ${problem}`);
  if (isAbsolute(source)) return { path: source };
  const url = URL.canParse(source) ? new URL(source) : undefined;
  if (url !== undefined && hasCredentials(url)) {
    const text = `${shownUrl(url)} is given with a user name or password, which are not sent; leave them away`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }
  if (url === undefined || !isHttp(url)) {
    // It is not said: without its scheme a URL with a password is none.
    const text = 'the source is neither an absolute path nor an http or https URL';
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }
  if (url.protocol === 'http:' && checksum === undefined) {
    const text = `${shownUrl(url)} is not encrypted, and could be anything; give its --checksum, or use https`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }
  return { url };
}

/** Resolves with what is shown as its source. */
async function bring(
  from: Source,
  { maxBytes }: PullOptions,
  part: Part,
  signal: AbortSignal,
): Promise<string> {
  if ('path' in from) {
    await copyLocalFile(from.path, part, maxBytes, signal);
    return from.path;
  }
  await download({ url: from.url, part, maxBytes, signal });
  return shownUrl(from.url);
}

/** Looks whether it is what was wanted, and gives it its place. */
async function accept(
  { store, name, checksum, format: wantedFormat, nowMs }: PullOptions,
  part: Part,
  source: string,
  signal: AbortSignal,
): Promise<ImageRecord> {
  try {
    const wanted = checksum === undefined ? [] : [checksum.algorithm];
    const digests = await digestsOf(part.data, ['sha256', ...wanted], { signal });
    const found = checksum && digests.get(checksum.algorithm);
    if (checksum !== undefined && found !== checksum.hex) {
      const text = `${source} is not the image of that checksum: its ${checksum.algorithm} is ${found}`;
      throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
    }
    const { size } = await stat(part.data);
    const format = await formatOf(part.data, size, source, wantedFormat);
    const record = {
      name,
      sha256: digests.get('sha256') ?? '',
      format,
      bytes: size,
      source,
      pulledAtMs: nowMs,
    };
    await chmod(part.data, 0o444);
    await rename(part.data, store.pathOf(record));
    await syncFolder(dirname(store.pathOf(record)));
    await part.forget();
    return record;
  } catch (error) {
    // Asked again it would be the same.
    if (error instanceof VmpulseError) await part.forget();
    if (error instanceof VmpulseError || !signal.aborted) throw error;
    throw new VmpulseError('ERR_VMPULSE_TIMEOUT', `${source} was not looked through in time`);
  }
}

/** By the content. Throws ERR_VMPULSE_STORAGE for what is no disk by itself, or not of the format that is wanted. */
async function formatOf(
  path: string,
  size: number,
  source: string,
  wanted: ImageFormat | undefined = formatBySource(source),
): Promise<ImageFormat> {
  const refuse = (why: string) => new VmpulseError('ERR_VMPULSE_STORAGE', `${source} ${why}`);
  if (size === 0) throw refuse('is empty');
  const { format, backing } = await readImageHeader(path, source);
  if (backing !== undefined) {
    // It could name any file of this host, which the guest would then read.
    throw refuse(`is laid over another image (${backing.slice(0, 100)}); make it whole (qemu-img convert)`);
  }
  if (wanted !== undefined && format !== wanted)
    throw refuse(
      `is to be ${wanted}, and its content is ${format === 'raw' ? 'no qcow2 image' : 'a qcow2 image'}; correct --image-format or the name's ending, or look where it came from`,
    );
  if (format === 'raw' && size % SECTOR_BYTES !== 0)
    throw refuse(
      `is no disk: it is no qcow2 image, and ${size} bytes are no whole sectors of ${SECTOR_BYTES}; perhaps it is a part of one`,
    );
  return format;
}

function formatBySource(source: string): ImageFormat | undefined {
  return /\.qcow2$/i.test(source) ? 'qcow2' : /\.raw$/i.test(source) ? 'raw' : undefined;
}
