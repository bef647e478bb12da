import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { errnoOf } from '../model/errors.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Logs in the folder of a VM, each with its file there. */
const FILES = { console: 'console.log', vmm: 'stderr.log', commands: 'commands.log' } as const;

export type LogSource = keyof typeof FILES;

export const LOG_SOURCES = Object.keys(FILES) as readonly LogSource[];

export function logFile(source: LogSource): string {
  return FILES[source];
}

/** Bytes of one answer, and of the end in which the last lines are looked for. */
const MAX_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** From where a log is read. */
export interface LogPlace {
  /** What `file` said before; another file there is read from its beginning. */
  readonly file: string;
  /** What `next` said before. */
  readonly after: number;
}

/** Where reading begins: so many last lines, or at a place. */
export type LogBegin = LogPlace | { readonly lines: number };

/** A part of a log. */
export interface LogPart {
  /** As it was written by guest, VMM or vmpulse: untrusted. */
  readonly text: string;
  /** Names the file that was read; null: there is none yet. */
  readonly file: string | null;
  /** Where the next part begins, in bytes. */
  readonly next: number;
}

/** The last lines of a log, or what came after a place. At most 1 MiB. A log that is not there yet is empty. */
export async function readLog(path: string, from: LogBegin): Promise<LogPart> {
  // Our own link into the run directory is followed; one that stands there was made by whoever took the VMM over.
  const target = await readlink(path).catch(() => path);
  const handle = await open(target, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch(ignoreMissing);
  if (handle === undefined) return { text: '', file: null, next: 0 };
  try {
    const found = await handle.stat();
    if (!found.isFile()) return { text: '', file: null, next: 0 };
    const file = `${found.dev}:${found.ino}`;
    if ('lines' in from) return { ...(await lastLines(handle, found.size, from.lines)), file };
    const isSame = from.file === file && from.after <= found.size;
    return { ...(await textFrom(handle, isSame ? from.after : 0, found.size)), file };
  } finally {
    await handle.close();
  }
}

type Text = Pick<LogPart, 'text' | 'next'>;

async function lastLines(handle: FileHandle, size: number, count: number): Promise<Text> {
  const begin = Math.max(0, size - MAX_BYTES);
  const bytes = await read(handle, begin, size - begin);
  if (count === 0) return { text: '', next: begin + bytes.length };
  // The newline at the very end closes the last line.
  let at = bytes.length - 1;
  for (let seen = 0; seen < count && at > 0; ) {
    at = bytes.lastIndexOf(NEWLINE, at - 1);
    seen += 1;
  }
  return whole(bytes, Math.max(0, at + 1), begin);
}

async function textFrom(handle: FileHandle, after: number, size: number): Promise<Text> {
  return whole(await read(handle, after, Math.min(MAX_BYTES, size - after)), 0, after);
}

/** A character that has been written only in part waits for its rest. */
function whole(bytes: Buffer, from: number, offset: number): Text {
  const end = bytes.length - unfinished(bytes);
  return { text: bytes.toString('utf8', Math.min(from, end), end), next: offset + end };
}

/** Bytes at the end that begin a character of UTF-8 and do not end it. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** There is none, a socket, a link. */
const NO_LOG: ReadonlySet<string> = new Set(['ENOENT', 'ENXIO', 'ELOOP']);

function ignoreMissing(error: unknown): undefined {
  if (!NO_LOG.has(errnoOf(error))) throw error;
}
