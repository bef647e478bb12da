import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../../kernel/durable-file.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { HOOK_EVENTS, type Hook } from '../../model/hook.js';
import type { VmId } from '../../model/vm.js';

/** A hook that a person added while the daemon ran. */
export interface AddedHook {
  /** `h1`, `h2`, … */
  readonly id: string;
  /** Null: for every VM. */
  readonly vm: VmId | null;
  readonly hook: Hook;
  readonly author: string;
  readonly addedAtMs: number;
}

const MAX_ADDED = 4096;

const stored = z.object({
  lastId: z.number().int().min(0),
  hooks: z
    .array(
      z.object({
        id: z.string().max(16),
        vm: z.string().max(512).nullable(),
        hook: z.object({
          event: z.enum(HOOK_EVENTS),
          run: z.union([
            z.object({ file: z.string() }),
            z.object({ argv: z.array(z.string()) }),
            z.object({ shell: z.string() }),
          ]),
          user: z.string().exactOptional(),
          timeoutMs: z.number().exactOptional(),
        }),
        author: z.string(),
        addedAtMs: z.number(),
      }),
    )
    .max(MAX_ADDED),
});

/**
 * The hooks that were added, in one file of the state directory. A file that cannot be read is left alone: what must be
 * asked before a start is not known then.
 */
export class HookStore {
  readonly #path: string;
  #lastId = 0;
  #hooks: readonly AddedHook[] = [];
  #problem: string | undefined = 'what was added has not been read yet';
  #writing: Promise<unknown> = Promise.resolve();

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'hooks.json');
  }

  get hooks(): readonly AddedHook[] {
    return this.#hooks;
  }

  /** Why it is not known what was added; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Never rejects; `problem` tells. */
  async load(): Promise<void> {
    try {
      const { lastId, hooks } = stored.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      this.#lastId = lastId;
      this.#hooks = hooks;
      this.#problem = undefined;
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      this.#problem = isMissing
        ? undefined
        : `${this.#path} cannot be read, so it is not known which hooks were added; mend it, or remove it and add them again: ${errorMessage(error).split('\n')[0]}`;
    }
  }

  /** Rejects with ERR_VMPULSE_ARGUMENT for a hook that is there already, ERR_VMPULSE_STORAGE when it is not stored. */
  add(added: Omit<AddedHook, 'id'>): Promise<AddedHook> {
    return this.#change(() => {
      const same = this.#hooks.find(({ vm, hook }) => vm === added.vm && isSame(hook, added.hook));
      if (same !== undefined)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `this hook was added already, as ${same.id}`);
      if (this.#hooks.length >= MAX_ADDED)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there are ${MAX_ADDED} hooks; remove some first`);
      const made = { id: `h${this.#lastId + 1}`, ...added };
      return { lastId: this.#lastId + 1, hooks: [...this.#hooks, made], result: made };
    });
  }

  /** Rejects with ERR_VMPULSE_ARGUMENT where none has that id. */
  remove(id: string): Promise<AddedHook> {
    return this.#change(() => {
      const found = this.#hooks.find((added) => added.id === id);
      if (found === undefined) {
        const text = `no hook ${id} was added; vmpulse hooks list shows the ids, and those of documents are removed there`;
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
      }
      return { lastId: this.#lastId, hooks: this.#hooks.filter((added) => added !== found), result: found };
    });
  }

  #change(
    next: () => { lastId: number; hooks: readonly AddedHook[]; result: AddedHook },
  ): Promise<AddedHook> {
    const changed = this.#writing.then(async () => {
      if (this.#problem !== undefined) throw new VmpulseError('ERR_VMPULSE_STORAGE', this.#problem);
      const { lastId, hooks, result } = next();
      try {
        await writeDurably(this.#path, `${JSON.stringify({ lastId, hooks }, null, 2)}\n`);
      } catch (cause) {
        const text = `${this.#path} cannot be written: ${errorMessage(cause)}`;
        throw new VmpulseError('ERR_VMPULSE_STORAGE', text, { cause });
      }
      this.#lastId = lastId;
      this.#hooks = hooks;
      return result;
    });
    this.#writing = changed.catch(() => {});
    return changed;
  }
}

function isSame(a: Hook, b: Hook): boolean {
  return a.event === b.event && JSON.stringify(a.run) === JSON.stringify(b.run);
}
