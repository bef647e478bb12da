import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../kernel/durable-file.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { NOTIFY_LEVELS, type NotifyChannel, type NotifyLevel } from '../model/notification.js';

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

/** Channels that were added, in a file of the state directory; secrets in one each beside it. */
export class ChannelStore {
  readonly #folder: string;
  #channels: readonly NotifyChannel[] = [];
  #problem: string | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  get channels(): readonly NotifyChannel[] {
    return this.#channels;
  }

  /** Why it is not known which channels were added; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Never rejects; `problem` tells. */
  async load(): Promise<void> {
    try {
      this.#channels = stored.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      this.#problem = `${this.#path} cannot be read, so channels that were added are not told; mend or remove it: ${errorMessage(error).split('\n')[0]}`;
    }
  }

  /** Rejects with ERR_VMPULSE_STORAGE when it is not stored. */
  add({ way, ...rest }: NewChannel): Promise<NotifyChannel> {
    return this.#change(async () => {
      if (this.#channels.length >= MAX_ADDED)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there are ${MAX_ADDED} channels; remove some first`);
      const channel: NotifyChannel =
        way.kind === 'slack'
          ? { ...rest, way: { kind: 'slack', url: { file: await this.#keep(rest.name, way.url) } } }
          : { ...rest, way };
      await this.#save([...this.#channels, channel]);
      return channel;
    });
  }

  /** Rejects with ERR_VMPULSE_STORAGE. False: none of that name was added. */
  remove(name: string): Promise<boolean> {
    return this.#change(async () => {
      if (!this.#channels.some((channel) => channel.name === name)) return false;
      await this.#save(this.#channels.filter((channel) => channel.name !== name));
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

  async #save(channels: readonly NotifyChannel[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeDurably(this.#path, `${JSON.stringify(channels, null, 2)}\n`);
    this.#channels = channels;
  }

  get #path(): string {
    return join(this.#folder, 'channels.json');
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#writing.then(async () => {
      if (this.#problem !== undefined) throw new VmpulseError('ERR_VMPULSE_STORAGE', this.#problem);
      try {
        return await change();
      } catch (cause) {
        if (cause instanceof VmpulseError) throw cause;
        throw new VmpulseError('ERR_VMPULSE_STORAGE', `the channel is not stored: ${errorMessage(cause)}`, {
          cause,
        });
      }
    });
    this.#writing = changed.catch(() => {});
    return changed;
  }
}
