import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import { parseJson } from '../model/parse-json.js';

/** Something that waits to be delivered. */
export interface Spooled<T> {
  readonly id: string;
  readonly atMs: number;
  readonly attempts: number;
  readonly nextAtMs: number;
  readonly payload: T;
}

export interface SpoolOptions<T> {
  readonly folder: string;
  readonly payload: z.ZodType<T>;
  /** Above that the oldest go. */
  readonly maxEntries: number;
  /** An entry was left out: it could not be read, or there were too many. */
  readonly onDropped: (why: string) => void;
}

const BAD = '.bad';

/**
 * What waits to be delivered: a file each in one folder, so that nothing is lost when the daemon ends, and one that is
 * damaged is put aside without the others. Each is on disk before `put` resolves.
 */
export class Spool<T> {
  readonly #options: SpoolOptions<T>;
  readonly #entries = new Map<string, Spooled<T>>();
  #lastNumber = 0;

  constructor(options: SpoolOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Oldest first. */
  get entries(): readonly Spooled<T>[] {
    return [...this.#entries.values()];
  }

  /** Reads what former runs left. Rejects with what the file system says of the folder. */
  async load(): Promise<void> {
    const { folder, payload, onDropped } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const schema = z.object({
      id: z.string().min(1).max(128),
      atMs: z.number(),
      attempts: z.number().int().min(0),
      nextAtMs: z.number(),
      payload,
    });
    for (const file of (await readdir(folder)).toSorted()) {
      const number = Number(/^(\d{12})\.json$/.exec(file)?.[1]);
      if (Number.isNaN(number)) {
        // What a daemon that died was writing was not promised to anybody.
        if (file.endsWith('.partial')) await rm(join(folder, file), { force: true });
        continue;
      }
      this.#lastNumber = Math.max(this.#lastNumber, number);
      const found = schema.safeParse(
        await readFile(join(folder, file), 'utf8').then(parseJson, () => undefined),
      );
      if (found.success) {
        this.#entries.set(file, found.data);
        continue;
      }
      await rename(join(folder, file), join(folder, `${file}${BAD}`));
      onDropped(`${file} could not be read and was put aside`);
    }
  }

  /** Rejects with what the file system says; nothing waits then. */
  async put(entry: Pick<Spooled<T>, 'id' | 'atMs' | 'payload'>): Promise<void> {
    const { maxEntries, onDropped } = this.#options;
    this.#lastNumber += 1;
    const file = `${String(this.#lastNumber).padStart(12, '0')}.json`;
    await this.#write(file, { ...entry, attempts: 0, nextAtMs: entry.atMs });
    for (const [oldest] of [...this.#entries].slice(0, Math.max(0, this.size - maxEntries))) {
      await this.#remove(oldest);
      onDropped(`${maxEntries} others wait`);
    }
  }

  /** It was tried, and is to be tried again then. */
  async postpone(id: string, nextAtMs: number): Promise<void> {
    const found = this.#find(id);
    if (found === undefined) return;
    const [file, entry] = found;
    const later = { ...entry, attempts: entry.attempts + 1, nextAtMs };
    // It waits, also where the disk does not take that any more.
    this.#entries.set(file, later);
    await this.#write(file, later);
  }

  async remove(id: string): Promise<void> {
    const found = this.#find(id);
    if (found !== undefined) await this.#remove(found[0]);
  }

  #find(id: string): readonly [string, Spooled<T>] | undefined {
    return [...this.#entries].find(([, entry]) => entry.id === id);
  }

  async #write(file: string, entry: Spooled<T>): Promise<void> {
    await writeDurably(join(this.#options.folder, file), JSON.stringify(entry));
    this.#entries.set(file, entry);
  }

  async #remove(file: string): Promise<void> {
    this.#entries.delete(file);
    await rm(join(this.#options.folder, file), { force: true });
  }
}
