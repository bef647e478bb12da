import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import { VmpulseError } from '../model/errors.js';
import { NOTIFY_LEVELS, type NotifyChannel, type NotifyLevel } from '../model/notification.js';
import { StoredValue } from '../runtime/stored-value.js';

/** A channel as a person adds it to a running daemon. */
export interface NewChannel {
  readonly name: string;
  readonly level: NotifyLevel;
  readonly vms: readonly string[];
  readonly way:
    | { readonly kind: 'email'; readonly to: readonly string[] }
    /** Whoever has the URL can post: it is kept in a file of its own and never shown. */
    | { readonly kind: 'slack'; readonly url: string }
    | { readonly kind: 'webhook'; readonly url: string };
}

const MAX_ADDED = 1000;
const LEVELS = Object.keys(NOTIFY_LEVELS) as [NotifyLevel, ...NotifyLevel[]];
const stored = z
  .array(
    z.object({
      name: z.string().max(64),
      level: z.enum(LEVELS),
      vms: z.array(z.string()),
      way: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('email'), to: z.array(z.string()) }),
        z.object({ kind: z.literal('slack'), url: z.object({ file: z.string() }) }),
        z.object({ kind: z.literal('webhook'), url: z.string() }),
      ]),
    }),
  )
  .max(MAX_ADDED);

/** Channels that were added; secrets in a file each beside theirs. */
export class ChannelStore {
  readonly #folder: string;
  readonly #file: StoredValue<readonly NotifyChannel[]>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#file = new StoredValue<readonly NotifyChannel[]>({
      path: join(folder, 'channels.json'),
      schema: stored,
      empty: [],
      unreadable: 'so channels that were added are not told; mend or remove it',
    });
  }

  get channels(): readonly NotifyChannel[] {
    return this.#file.value;
  }

  /** Why it is not known which channels were added; undefined: it is. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /** Never rejects; `problem` tells. */
  load(): Promise<void> {
    return this.#file.load();
  }

  /** Rejects with ERR_VMPULSE_ARGUMENT for too many, ERR_VMPULSE_STORAGE when it is not stored. */
  add({ way, ...rest }: NewChannel): Promise<NotifyChannel> {
    return this.#file.change(async (save) => {
      if (this.channels.some(({ name }) => name === rest.name)) {
        const text = `there is a channel ${rest.name} already; choose another name, or remove it`;
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
      }
      if (this.channels.length >= MAX_ADDED)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there are ${MAX_ADDED} channels; remove some first`);
      const channel: NotifyChannel =
        way.kind === 'slack'
          ? { ...rest, way: { kind: 'slack', url: { file: await this.#keep(rest.name, way.url) } } }
          : { ...rest, way };
      await save([...this.channels, channel]);
      return channel;
    });
  }

  /** Rejects with ERR_VMPULSE_STORAGE. False: none of that name was added. */
  remove(name: string): Promise<boolean> {
    return this.#file.change(async (save) => {
      if (!this.channels.some((channel) => channel.name === name)) return false;
      await save(this.channels.filter((channel) => channel.name !== name));
      await rm(this.#secretPath(name), { force: true });
      return true;
    });
  }

  async #keep(name: string, secret: string): Promise<string> {
    const path = this.#secretPath(name);
    await mkdir(join(this.#folder, 'secrets'), { recursive: true, mode: 0o700 });
    await writeDurably(path, `${secret}\n`);
    return path;
  }

  #secretPath(name: string): string {
    return join(this.#folder, 'secrets', name);
  }
}
