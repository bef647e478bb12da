import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { errorMessage } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { Redactor } from './redact.js';

/** Everything together, bytes; what comes after is left out. */
const MAX_BYTES = 192 * 1024 * 1024;

interface Taken {
  readonly name: string;
  readonly bytes: number;
  /** Only its end was taken: this is how large it is, bytes. */
  readonly cutFromBytes?: number;
}

interface LeftOut {
  readonly name: string;
  readonly why: string;
}

/** Where what is gathered lies until it is packed: a folder that only its owner can read, gone afterwards. */
export class Stage {
  readonly redactor = new Redactor();
  readonly taken: Taken[] = [];
  readonly missing: LeftOut[] = [];
  readonly dir: string;
  #bytes = 0;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'vmpulse-must-gather-')));
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Data as JSON; members that may be secret are taken out. */
  async json(name: string, data: unknown): Promise<void> {
    await this.text(name, `${JSON.stringify(this.redactor.data(data), null, 2)}\n`);
  }

  /** A text; what looks like a secret is taken out. */
  async text(name: string, text: string): Promise<void> {
    await this.#write(name, Buffer.from(text, 'utf8'));
  }

  /** The end of a file, if it is a regular one; neither it nor anything else is followed or waited for. */
  async file(name: string, path: string, maxBytes: number): Promise<void> {
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await open(path, flags);
      try {
        const { size } = await file.stat().then((stat) => {
          if (!stat.isFile()) throw new Error('it is no regular file');
          return stat;
        });
        const { bytes, isCut } = await readEnd(file, size, maxBytes);
        await this.#write(name, bytes, isCut ? size : undefined);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.lack(name, errorMessage(error));
    }
  }

  /** Notes what is not there, and why. */
  lack(name: string, why: string): void {
    this.missing.push({ name, why: plainText(this.redactor.text(why), 500) });
  }

  async #write(name: string, bytes: Buffer, cutFromBytes?: number): Promise<void> {
    const clean = Buffer.from(this.redactor.text(bytes.toString('latin1')), 'latin1');
    if (this.#bytes + clean.length > MAX_BYTES) {
      this.lack(name, 'the archive is as large as it may be');
      return;
    }
    this.#bytes += clean.length;
    const path = join(this.dir, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, clean, { mode: 0o600 });
    this.taken.push({ name, bytes: clean.length, ...(cutFromBytes === undefined ? {} : { cutFromBytes }) });
  }
}

/** Files below /proc have no size: they are read until they end. */
async function readEnd(
  file: Awaited<ReturnType<typeof open>>,
  size: number,
  maxBytes: number,
): Promise<{ bytes: Buffer; isCut: boolean }> {
  const isCut = size > maxBytes;
  const wanted = size === 0 ? maxBytes : Math.min(size, maxBytes);
  const buffer = Buffer.alloc(wanted);
  let filled = 0;
  while (filled < wanted) {
    const at = size === 0 ? null : (isCut ? size - maxBytes : 0) + filled;
    const { bytesRead } = await file.read(buffer, filled, wanted - filled, at);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return { bytes: buffer.subarray(0, filled), isCut };
}
