import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { errorMessage } from '../../model/errors.js';
import { given } from '../../model/given.js';
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
  /** What is packed. */
  readonly files: string;
  /** For what is only needed on the way. */
  readonly scratch: string;
  readonly #dir: string;
  #bytes = 0;
  #isSealed = false;

  private constructor(dir: string) {
    this.#dir = dir;
    this.files = join(dir, 'files');
    this.scratch = join(dir, 'scratch');
  }

  static async make(): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'vmpulse-must-gather-')));
    for (const folder of [stage.files, stage.scratch]) await mkdir(folder, { mode: 0o700 });
    return stage;
  }

  /** From now on nothing is taken any more from a part that was not done in time. */
  seal(): void {
    this.#isSealed = true;
  }

  /** The last file, of a stage that is sealed. */
  async finish(name: string, data: unknown): Promise<void> {
    const text = `${JSON.stringify(this.redactor.data(data), null, 2)}\n`;
    await writeFile(join(this.files, name), text, { mode: 0o600 });
  }

  async remove(): Promise<void> {
    this.seal();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 3 });
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
      const { bytes, isCut, size } = await readRegular(path, maxBytes, constants.O_NOFOLLOW);
      await this.#write(name, bytes, isCut ? size : undefined);
    } catch (error) {
      this.lack(name, errorMessage(error));
    }
  }

  /** A document that may not be well-formed, whole; what may be secret by its name is taken out. */
  async source(name: string, path: string, maxBytes: number): Promise<void> {
    try {
      const { bytes, isCut, size } = await readRegular(path, maxBytes, 0);
      if (isCut) throw new Error(`it is too large for a document (${size} bytes)`);
      const clean = this.redactor.source(bytes.toString('latin1'));
      await this.#write(name, Buffer.from(clean, 'latin1'));
    } catch (error) {
      this.lack(name, errorMessage(error));
    }
  }

  /** Notes what is not there, and why. */
  lack(name: string, why: string): void {
    if (this.#isSealed) return;
    this.missing.push({ name, why: plainText(this.redactor.text(why), 500) });
  }

  async #write(name: string, bytes: Buffer, cutFromBytes?: number): Promise<void> {
    if (this.#isSealed) return;
    const clean = Buffer.from(this.redactor.text(bytes.toString('latin1')), 'latin1');
    if (this.#bytes + clean.length > MAX_BYTES) {
      this.lack(name, 'the archive is as large as it may be');
      return;
    }
    this.#bytes += clean.length;
    const path = join(this.files, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, clean, { mode: 0o600 });
    if (this.#isSealed) return;
    this.taken.push({ name, bytes: clean.length, ...given({ cutFromBytes }) });
  }
}

interface ReadFile {
  readonly bytes: Buffer;
  /** Only its end was read. */
  readonly isCut: boolean;
  readonly size: number;
}

async function readRegular(path: string, maxBytes: number, flags: number): Promise<ReadFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is no regular file');
    return { ...(await readEnd(file, stat.size, maxBytes)), size: stat.size };
  } finally {
    await file.close();
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
