import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { RE2JS } from 're2js';
import type { Scan, ScanTask } from './scan.js';

const CHUNK_BYTES = 64 * 1024;
/** What of a line is looked at; also how long a line that has not ended may grow before it is given up. */
const MAX_LINE_BYTES = 4 * 1024;
const MAX_MESSAGE_CHARS = 200;
const NEWLINE = 0x0a;

/** Reads what was added to a log and looks for patterns in its lines: linear in both, whatever a guest writes. */
export default function scan({ path, position, maxBytes, seen, notSeen }: ScanTask): Scan {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error(`${path} is no regular file`);
    const { dev, ino, size } = stats;
    // Another file, or one that was cut: all of it is new.
    const isSame = position?.dev === dev && position.ino === ino && position.size <= size;
    const wanted = position === null ? size - maxBytes : isSame ? position.offset : 0;
    const from = Math.max(0, wanted, size - maxBytes);
    const lines = new Lines(seen, notSeen);
    const offset = lines.read(file, from, size);
    return {
      position: { dev, ino, size, offset },
      hasGrown: !isSame ? size > 0 : size > position.size,
      skippedBytes: position === null ? 0 : from - wanted,
      seen: lines.seen,
      notSeen: lines.notSeen,
    };
  } finally {
    closeSync(file);
  }
}

/** The last line that each pattern matched. */
class Lines {
  seen: string | null = null;
  notSeen: string | null = null;
  readonly #seen: RE2JS | undefined;
  readonly #notSeen: RE2JS | undefined;

  constructor(seen: string | undefined, notSeen: string | undefined) {
    this.#seen = seen === undefined ? undefined : RE2JS.compile(seen);
    this.#notSeen = notSeen === undefined ? undefined : RE2JS.compile(notSeen);
  }

  /** Looks at all lines from `from` on. Returns where the next read begins: at the line that has not ended yet. */
  read(file: number, from: number, size: number): number {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let rest: Buffer = Buffer.alloc(0);
    let at = from;
    while (at < size) {
      const bytes = readSync(file, chunk, 0, Math.min(CHUNK_BYTES, size - at), at);
      if (bytes === 0) break;
      at += bytes;
      rest = this.#lines(Buffer.concat([rest, chunk.subarray(0, bytes)]));
      if (rest.length > MAX_LINE_BYTES) {
        this.#line(rest);
        rest = Buffer.alloc(0);
      }
    }
    // A panic message need not end its line.
    if (rest.length > 0) this.#line(rest);
    return at - rest.length;
  }

  #lines(bytes: Buffer): Buffer {
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      this.#line(bytes.subarray(begin, end));
      begin = end + 1;
    }
    return bytes.subarray(begin);
  }

  #line(bytes: Buffer): void {
    const line = bytes.subarray(0, MAX_LINE_BYTES).toString('utf8');
    if (this.#seen?.test(line)) this.seen = line.slice(0, MAX_MESSAGE_CHARS);
    if (this.#notSeen?.test(line)) this.notSeen = line.slice(0, MAX_MESSAGE_CHARS);
  }
}
