import { join } from 'node:path';
import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { HOOK_EVENTS, type Hook } from '../../model/hook.js';
import type { VmId } from '../../model/vm.js';
import { StoredValue } from '../stored-value.js';

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

interface Added {
  readonly lastId: number;
  readonly hooks: readonly AddedHook[];
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

/** The hooks that were added. Where they cannot be read, what must be asked before a start is not known. */
export class HookStore {
  readonly #file: StoredValue<Added>;

  constructor(stateDir: string) {
    this.#file = new StoredValue<Added>({
      path: join(stateDir, 'hooks.json'),
      schema: stored,
      empty: { lastId: 0, hooks: [] },
      unreadable: 'so it is not known which hooks were added; mend it, or remove it and add them again',
    });
  }

  get hooks(): readonly AddedHook[] {
    return this.#file.value.hooks;
  }

  /** Why it is not known what was added; undefined: it is. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /** Never rejects; `problem` tells. */
  load(): Promise<void> {
    return this.#file.load();
  }

  /** Rejects with ERR_VMPULSE_ARGUMENT for a hook that is there already, ERR_VMPULSE_STORAGE when it is not stored. */
  add(added: Omit<AddedHook, 'id'>): Promise<AddedHook> {
    return this.#file.change(async (save) => {
      const { lastId, hooks } = this.#file.value;
      const same = hooks.find(({ vm, hook }) => vm === added.vm && isSame(hook, added.hook));
      if (same !== undefined)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `this hook was added already, as ${same.id}`);
      if (hooks.length >= MAX_ADDED)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there are ${MAX_ADDED} hooks; remove some first`);
      const made = { id: `h${lastId + 1}`, ...added };
      await save({ lastId: lastId + 1, hooks: [...hooks, made] });
      return made;
    });
  }

  /** Rejects with ERR_VMPULSE_ARGUMENT where none has that id, ERR_VMPULSE_STORAGE. */
  remove(id: string): Promise<AddedHook> {
    return this.#file.change(async (save) => {
      const { lastId, hooks } = this.#file.value;
      const found = hooks.find((added) => added.id === id);
      if (found === undefined) {
        const text = `no hook ${id} was added; vmpulse hooks list shows the ids, and those of documents are removed there`;
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
      }
      await save({ lastId, hooks: hooks.filter((added) => added !== found) });
      return found;
    });
  }
}

function isSame(a: Hook, b: Hook): boolean {
  return a.event === b.event && JSON.stringify(a.run) === JSON.stringify(b.run);
}
