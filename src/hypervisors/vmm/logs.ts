import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { isMissingFile } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';

const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** Of st_blocks, whatever the file system's own are. */
const BLOCK_BYTES = 512;
const KEPT_TAIL_BYTES = 256 * 1024;
const CHECK_EVERY_MS = 60_000;
const MAX_LINE_CHARS = 500;

/** The last `maxBytes` of a file that others may write; empty when it cannot be read. */
export async function readTail(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return Buffer.alloc(0);
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(maxBytes),
        0,
        maxBytes,
        Math.max(0, stats.size - maxBytes),
      );
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return Buffer.alloc(0);
  }
}

/** What a guest or a VMM printed, safe to show: lines stay lines, everything else that steers a terminal is escaped. */
export function printable(bytes: Buffer): string {
  const lines = bytes.toString('utf8').split(/\r*\n/);
  return lines.map((line) => plainText(line, MAX_LINE_CHARS)).join('\n');
}

/** Gives a new VMM empty logs and keeps those of the one before as `….1`. */
export async function rotateLogs(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rename(path, `${path}.1`).catch(ignoreMissing);
}

export async function removeFiles(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { force: true })));
}

/** Cuts logs that a guest has filled. QEMU appends, so it goes on at the new end. */
export class LogKeeper {
  readonly #paths: readonly string[];
  readonly #timer: NodeJS.Timeout;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
    // A disk that fails here fails where it matters, too, and is reported there.
    this.#timer = setInterval(() => void this.cutLongLogs().catch(() => {}), CHECK_EVERY_MS);
    this.#timer.unref();
  }

  /** Keeps the end of a log over 8 MiB as `….1` and empties it. */
  async cutLongLogs(): Promise<void> {
    for (const path of this.#paths) {
      const tail = await tailIfLong(path);
      if (tail === undefined) continue;
      await replaceContent(`${path}.1`, tail);
      await replaceContent(path, '');
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

async function tailIfLong(path: string): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    ignoreMissing,
  );
  const bytes = await file?.stat().then((stats) => stats.blocks * BLOCK_BYTES);
  await file?.close();
  // Not its length: who writes at a place of its own leaves a hole before it once the file was emptied.
  return bytes !== undefined && bytes > MAX_LOG_BYTES ? readTail(path, KEPT_TAIL_BYTES) : undefined;
}

/** Never through a link: a VMM that runs as somebody else had the folder while it started. */
async function replaceContent(path: string, content: Buffer | string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissingFile(error)) throw error;
  return undefined;
}
