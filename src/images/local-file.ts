import { constants, createWriteStream } from 'node:fs';
import { copyFile, type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { Part } from './part.js';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Copies a file of this host; takes no room where the file system can share its blocks. Throws ERR_VMPULSE_STORAGE, also for
 * what is no regular file, and ERR_VMPULSE_TIMEOUT; nothing of it is left then.
 */
export async function copyLocalFile(
  source: string,
  part: Part,
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  await part.forget();
  try {
    signal.throwIfAborted();
    const { file, size } = await openToCopy(source, maxBytes);
    try {
      await copyFile(`/proc/self/fd/${file.fd}`, part.data, constants.COPYFILE_FICLONE_FORCE).catch(() =>
        copyBytes(file, size, part, signal),
      );
    } finally {
      await file.close();
    }
  } catch (error) {
    await part.forget();
    if (signal.aborted) throw new VmpulseError('ERR_VMPULSE_TIMEOUT', `${source} was not copied in time`);
    throw error instanceof VmpulseError ? error : failed(errorMessage(error));
  }
}

/** Whether copyLocalFile would begin with it: its size. Throws ERR_VMPULSE_STORAGE. */
export async function sizeOfLocalFile(source: string, maxBytes: number): Promise<number> {
  try {
    const { file, size } = await openToCopy(source, maxBytes);
    await file.close();
    return size;
  } catch (error) {
    throw error instanceof VmpulseError ? error : failed(errorMessage(error));
  }
}

async function openToCopy(
  source: string,
  maxBytes: number,
): Promise<{ readonly file: FileHandle; readonly size: number }> {
  const file = await openRegular(source);
  const { size } = await file.stat();
  if (size <= maxBytes) return { file, size };
  await file.close();
  throw failed(`${source} is larger than ${maxBytes} bytes; allow more with --max-size`);
}

/** A pipe or a device may never end, and a device may do something when it is opened. */
async function openRegular(source: string): Promise<FileHandle> {
  const refusal = failed(`${source} is not a regular file`);
  if (!(await stat(source)).isFile()) throw refusal;
  const file = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  // Somebody has put something else there meanwhile.
  await file.close();
  throw refusal;
}

async function copyBytes(file: FileHandle, size: number, part: Part, signal: AbortSignal): Promise<void> {
  const end = Math.max(0, size - 1);
  const from = file.createReadStream({ start: 0, end, autoClose: false, highWaterMark: CHUNK_BYTES });
  await pipeline(from, createWriteStream(part.data, { mode: 0o600, flush: true }), { signal });
}

function failed(why: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_STORAGE', why);
}
