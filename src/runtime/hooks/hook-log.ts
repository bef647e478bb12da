import { appendFile, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, isMissingFile, VmpulseError } from '../../model/errors.js';
import { parseJson } from '../../model/parse-json.js';
import { Turns } from '../../model/turns.js';
import type { VmId } from '../../model/vm.js';

const MAX_BYTES = 4 * 1024 * 1024;

const line = z.object({
  atMs: z.number(),
  vm: z.string(),
  event: z.string(),
  program: z.string(),
  origin: z.string(),
  reason: z.string(),
  result: z.string(),
  text: z.string(),
  tookMs: z.number(),
  stdout: z.string(),
  stderr: z.string(),
});

/** One run of a hook, with what it wrote. */
export type HookRun = z.output<typeof line>;

/** The last runs of all hooks: a file of the state directory, and the one before it; 8 MiB together. */
export class HookLog {
  readonly #path: string;
  readonly #turns = new Turns();
  #isFirst = true;

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'hook-runs.jsonl');
  }

  /** Rejects with what the file system says. */
  add(run: HookRun): Promise<void> {
    return this.#turns.take(() => this.#append(`${JSON.stringify(run)}\n`));
  }

  /** Resolves once all that was added is written, or could not be. */
  written(): Promise<void> {
    return this.#turns.idle();
  }

  /** The last `limit` of the VM (undefined: of all), oldest first. Rejects with ERR_VMPULSE_STORAGE. */
  async read(vm: VmId | undefined, limit: number): Promise<readonly HookRun[]> {
    await this.#turns.idle();
    const texts = await Promise.all([`${this.#path}.1`, this.#path].map(readOrNothing));
    const runs = texts.flatMap((text) => text.split('\n').flatMap(parse));
    return runs.filter((run) => vm === undefined || run.vm === vm).slice(-limit);
  }

  async #append(text: string): Promise<void> {
    const bytes = await stat(this.#path).then(({ size }) => size, orIfMissing(0));
    if (bytes > MAX_BYTES) await rename(this.#path, `${this.#path}.1`);
    // Half a line of a daemon that died must not take a whole one with it.
    await appendFile(this.#path, this.#isFirst ? `\n${text}` : text, { mode: 0o600 });
    this.#isFirst = false;
  }
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8').catch(orIfMissing(''));
  } catch (cause) {
    const text = `what hooks wrote cannot be read: ${errorMessage(cause)}`;
    throw new VmpulseError('ERR_VMPULSE_STORAGE', text, { cause });
  }
}

function orIfMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (isMissingFile(error)) return value;
    throw error;
  };
}

/** A daemon that died may have left half a line. */
function parse(text: string): HookRun[] {
  const run = line.safeParse(parseJson(text));
  return run.success ? [run.data] : [];
}
