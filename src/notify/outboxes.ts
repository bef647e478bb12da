import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { NotifyChannel, NotifySettings } from '../model/notification.js';
import { sendBy } from './channels/registry.js';
import { type Message, messageSchema } from './message.js';
import { Outbox } from './outbox.js';
import type { ReadSecret } from './secret.js';
import { Spool } from './spool.js';

const MAX_SPOOLED = 1000;
const DAY_MS = 86_400_000;

export type Delivery = 'sent' | 'failed' | 'dropped';

export interface OutboxesOptions {
  /** With a folder for each channel. */
  readonly folder: string;
  readonly clock: Clock;
  readonly secret: ReadSecret;
  /** As they are when it is asked for: those that a channel was opened with may be others by then. */
  readonly settings: () => NotifySettings;
  readonly channelOf: (name: string) => NotifyChannel | undefined;
  readonly degrade: (what: string, why: string) => void;
  readonly mend: (what: string) => void;
  readonly onDelivery: (channel: string, result: Delivery) => void;
  /** A channel is told from now on; `waiting`: how many messages wait for it. */
  readonly onOpened: (channel: string, waiting: () => number) => void;
  readonly onRemoved: (channel: string) => void;
}

/** What waits on disk for each channel and is on its way, and what went wrong with it last. */
export class Outboxes {
  readonly #options: OutboxesOptions;
  readonly #open = new Map<string, Outbox<Message>>();
  /** By channel; gone once something was delivered. */
  readonly #troubles = new Map<string, string>();

  constructor(options: OutboxesOptions) {
    this.#options = options;
  }

  has(channel: string): boolean {
    return this.#open.has(channel);
  }

  waiting(channel: string): number {
    return this.#open.get(channel)?.size ?? 0;
  }

  /** What went wrong last; null: nothing since something was delivered. */
  troubleOf(channel: string): string | null {
    return this.#troubles.get(channel) ?? null;
  }

  /** Goes on with what waits for a channel. False where that cannot be read. Never rejects. */
  async open(channel: NotifyChannel): Promise<boolean> {
    const { name } = channel;
    const before = this.#troubles.get(name);
    try {
      await this.#begin(channel);
    } catch (error) {
      this.#trouble(name, `what waits for it cannot be read: ${errorMessage(error)}`);
      return false;
    }
    // What was found while it was opened stays to be seen.
    if (this.#troubles.get(name) === before) this.#recovered(name);
    return true;
  }

  /** False where it cannot be stored. Never rejects. */
  async put(channel: string, message: Message): Promise<boolean> {
    const atMs = this.#options.clock.now();
    try {
      await this.#open.get(channel)?.put({ id: randomUUID(), atMs, payload: message });
      return true;
    } catch (error) {
      this.#trouble(channel, `a message cannot be stored and waits in memory: ${errorMessage(error)}`);
      return false;
    }
  }

  /** What waits for it goes with it. Never rejects. */
  async remove(channel: string): Promise<void> {
    await this.#open.get(channel)?.close();
    this.#open.delete(channel);
    // What is left over does no harm: the next channel of that name begins with an empty folder or not at all.
    await this.clear(channel).catch(() => {});
    this.#recovered(channel);
    this.#options.onRemoved(channel);
  }

  /** Removes what waits for a channel that is not open. Rejects with what the file system says. */
  async clear(channel: string): Promise<void> {
    await rm(join(this.#options.folder, channel), { recursive: true, force: true });
  }

  /** What is being sent is withdrawn, and delivered by the next run with what waits. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((outbox) => outbox.close()));
  }

  async #begin(channel: NotifyChannel): Promise<void> {
    const { name } = channel;
    const { folder, clock, secret, settings, channelOf, onDelivery, onOpened } = this.#options;
    onOpened(name, () => this.waiting(name));
    const spool = new Spool({
      folder: join(folder, name),
      payload: messageSchema,
      maxEntries: MAX_SPOOLED,
      onDropped: (why) => {
        onDelivery(name, 'dropped');
        this.#trouble(name, `a message is left out: ${why}`);
      },
    });
    await spool.load();
    const outbox = new Outbox<Message>({
      spool,
      clock,
      perHour: () => settings().perHour,
      maxAgeMs: DAY_MS,
      send: ({ id, atMs, payload: message }, signal) => {
        // As it is set now: the one that it was opened for may have got another target.
        const { way } = channelOf(name) ?? channel;
        return sendBy(way, { id, atMs, message, smtp: settings().smtp, secret, signal });
      },
      onSent: () => {
        onDelivery(name, 'sent');
        this.#recovered(name);
      },
      onFailed: (_entry, why, isOver) => {
        onDelivery(name, isOver ? 'dropped' : 'failed');
        this.#trouble(name, isOver ? `a message is given up: ${why}` : why);
      },
    });
    this.#open.set(name, outbox);
    outbox.start();
  }

  #trouble(channel: string, why: string): void {
    this.#troubles.set(channel, why);
    this.#options.degrade(`notify/${channel}`, why);
  }

  #recovered(channel: string): void {
    if (this.#troubles.delete(channel)) this.#options.mend(`notify/${channel}`);
  }
}
