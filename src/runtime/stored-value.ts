import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import { errorMessage, isMissingFile, VmpulseError } from '../model/errors.js';
import { Turns } from '../model/turns.js';

export interface StoredValueOptions<T> {
  readonly path: string;
  readonly schema: z.ZodType<T>;
  /** Without a file. */
  readonly empty: T;
  /** What a file that cannot be read means, and what to do: `so it is not known …; mend it, or …`. */
  readonly unreadable: string;
}

/**
 * Something that persons change while the daemon runs, in a JSON file of its own. A file that cannot be read is left
 * alone, and nothing is changed then. Changes come one after another.
 */
export class StoredValue<T> {
  readonly #options: StoredValueOptions<T>;
  #value: T;
  #problem: string | undefined;
  readonly #turns = new Turns();

  constructor(options: StoredValueOptions<T>) {
    this.#options = options;
    this.#value = options.empty;
    this.#problem = `${options.path} has not been read yet`;
  }

  get value(): T {
    return this.#value;
  }

  /** Why it is not known what is stored; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Never rejects; `problem` tells. */
  async load(): Promise<void> {
    const { path, schema, unreadable } = this.#options;
    try {
      this.#value = schema.parse(JSON.parse(await readFile(path, 'utf8')));
      this.#problem = undefined;
    } catch (error) {
      const why = errorMessage(error).split('\n')[0];
      this.#problem = isMissingFile(error) ? undefined : `${path} cannot be read, ${unreadable}: ${why}`;
    }
  }

  /**
   * Changes it: `change` says by `save` what is stored from then on. Rejects with what `change` throws, other errors
   * than ours as ERR_VMPULSE_STORAGE.
   */
  change<R>(change: (save: (next: T) => Promise<void>) => Promise<R>): Promise<R> {
    return this.#turns.take(async () => {
      if (this.#problem !== undefined) throw new VmpulseError('ERR_VMPULSE_STORAGE', this.#problem);
      try {
        return await change((next) => this.#save(next));
      } catch (cause) {
        if (cause instanceof VmpulseError) throw cause;
        const text = `${this.#options.path} cannot be changed: ${errorMessage(cause)}`;
        throw new VmpulseError('ERR_VMPULSE_STORAGE', text, { cause });
      }
    });
  }

  async #save(next: T): Promise<void> {
    const { path } = this.#options;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeDurably(path, `${JSON.stringify(next, null, 2)}\n`);
    this.#value = next;
  }
}
