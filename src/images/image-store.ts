import { mkdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';
import { digestsOf } from './checksum.js';
import { namesIn, type Unused, unusedFiles } from './unused-files.js';

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

const RECORD = z.object({
  name: z.string(),
  /** Lower-case hex; the file is named by it. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  format: z.enum(['raw', 'qcow2']),
  bytes: z.number(),
  /** Where it was pulled from, without credentials. */
  source: z.string(),
  pulledAtMs: z.number(),
});

/** A name, and the image that it stands for now. */
export type ImageRecord = z.infer<typeof RECORD>;

/** Why this is no name of an image; undefined: it is one. */
export function imageNameProblem(text: string): string | undefined {
  if (NAME.test(text)) return undefined;
  return `is not the name of an image ("${text}"); use lower-case letters, digits, - . and _`;
}

/**
 * Images below `<stateDir>/images`. A file is named by its digest and never written again, so that what disks are laid over
 * stays what it was; a name is a record that points to one, and a later pull only points it elsewhere.
 */
export class ImageStore {
  readonly #folder: string;
  readonly #disks: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'images');
    this.#disks = join(stateDir, 'disks');
  }

  /** Where a pull under this name puts what it has so far. */
  partFolder(name: string): string {
    return join(this.#folder, 'parts', name);
  }

  pathOf({ sha256, format }: Pick<ImageRecord, 'sha256' | 'format'>): string {
    return join(this.#folder, 'files', `${sha256}.${format}`);
  }

  async prepare(): Promise<void> {
    for (const name of ['files', 'parts'])
      await mkdir(join(this.#folder, name), { recursive: true, mode: 0o755 });
  }

  async list(): Promise<readonly ImageRecord[]> {
    const records = await Promise.all((await this.#names()).map((name) => this.#read(name)));
    return records.filter((record) => record !== undefined);
  }

  /** Throws ERR_VMPULSE_STORAGE where there is none of that name. */
  async get(name: string): Promise<ImageRecord> {
    const record = imageNameProblem(name) === undefined ? await this.#read(name) : undefined;
    if (record !== undefined) return record;
    const text = `there is no image ${name} in ${this.#folder}; pull it: vmpulse image pull SOURCE --name ${name}`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }

  async put(record: ImageRecord): Promise<void> {
    await writeDurably(join(this.#folder, `${record.name}.json`), `${JSON.stringify(record)}\n`, 0o644);
  }

  /** Reads the whole image. Throws ERR_VMPULSE_STORAGE when it is not what was pulled. */
  async verify(record: ImageRecord, options: Pick<CallOptions, 'signal'>): Promise<void> {
    const path = this.pathOf(record);
    const { size } = await stat(path).catch(() => {
      throw new VmpulseError('ERR_VMPULSE_STORAGE', `image ${record.name}: ${path} is gone; pull it again`);
    });
    const found =
      size === record.bytes ? (await digestsOf(path, ['sha256'], options)).get('sha256') : `${size} bytes`;
    if (found === record.sha256) return;
    const text = `image ${record.name}: ${path} is not what was pulled (${found}); remove that file and pull it again`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text);
  }

  /** Files that no name stands for and no disk is laid over, and what was given up when it was being pulled or made. */
  unused(nowMs: number): Promise<Unused> {
    const folders = {
      files: join(this.#folder, 'files'),
      parts: join(this.#folder, 'parts'),
      disks: this.#disks,
    };
    const named = async () => {
      const records = await Promise.all((await this.#names()).map((name) => this.#parse(name)));
      return records.map((record) => basename(this.pathOf(record)));
    };
    return unusedFiles(folders, named, nowMs);
  }

  async #names(): Promise<readonly string[]> {
    const names = (await namesIn(this.#folder)).filter((name) => name.endsWith('.json'));
    return names.map((name) => basename(name, '.json'));
  }

  async #read(name: string): Promise<ImageRecord | undefined> {
    return this.#parse(name).catch(() => undefined);
  }

  async #parse(name: string): Promise<ImageRecord> {
    const record = RECORD.parse(JSON.parse(await readFile(join(this.#folder, `${name}.json`), 'utf8')));
    if (record.name === name) return record;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', `${name}.json is the record of ${record.name}`);
  }
}
