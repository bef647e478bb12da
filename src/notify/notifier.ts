import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../model/clock.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { NotifyChannel, NotifySettings } from '../model/notification.js';
import { plainText } from '../model/plain-text.js';
import type { RuntimeApi } from '../runtime/views.js';
import { ChannelStore, type NewChannel } from './channel-store.js';
import { sendBy } from './channels/registry.js';
import { targetOf } from './channels/target.js';
import { IncidentFile } from './incident-file.js';
import { Incidents } from './incidents.js';
import type { Message } from './message.js';
import { type Notice, noticeOf } from './notices.js';
import type { ChannelView, NotifyApi, TestView } from './notify-views.js';
import { Outboxes, type OutboxesOptions } from './outboxes.js';
import type { ReadSecret } from './secret.js';
import { startNotice } from './start-notice.js';

const TEST_MS = 15_000;

export interface NotifierOptions extends Pick<OutboxesOptions, 'onDelivery' | 'onOpened' | 'onRemoved'> {
  readonly settings: NotifySettings;
  readonly stateDir: string;
  readonly host: string;
  readonly runtime: Pick<RuntimeApi, 'events' | 'view'>;
  readonly clock: Clock;
  readonly secret: ReadSecret;
  /** Journals what a person did; rejects with ERR_VMPULSE_JOURNAL. */
  readonly record: (text: string, data: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly degrade: (what: string, why: string) => void;
  readonly mend: (what: string) => void;
}

/** Tells people by their channels what happens: gathers, groups by incident, and delivers from a spool on disk. */
export class Notifier implements NotifyApi {
  readonly #options: NotifierOptions;
  #settings: NotifySettings;
  readonly #store: ChannelStore;
  readonly #incidents = new Incidents();
  readonly #outboxes: Outboxes;
  readonly #abort = new AbortController();
  readonly #timers = new Map<string, () => void>();
  /** The last flush of each channel that is not done yet. */
  readonly #flushes = new Map<string, Promise<void>>();
  readonly #incidentFile: IncidentFile;
  #listening: Promise<void> = Promise.resolve();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#settings = options.settings;
    const folder = join(options.stateDir, 'notify');
    this.#store = new ChannelStore(folder);
    this.#outboxes = new Outboxes({
      ...options,
      folder: join(folder, 'spool'),
      settings: () => this.#settings,
      channelOf: (channel) => this.#channels.find(({ name }) => name === channel),
    });
    this.#incidentFile = new IncidentFile({
      path: join(folder, 'incidents.json'),
      clock: options.clock,
      read: () => this.#incidents.stored,
      degrade: options.degrade,
      mend: options.mend,
    });
  }

  /** Goes on with what former runs left, and listens from now on. Never rejects. */
  async start(): Promise<void> {
    const { degrade } = this.#options;
    await this.#store.load();
    const problem = this.#store.problem ?? this.problemOf(this.#settings);
    if (problem !== undefined) degrade('notify', problem);
    const left = await this.#incidentFile.load();
    if (left !== undefined) this.#incidents.restore(left);
    await this.#incidentFile.save();
    for (const channel of this.#channels) await this.#tryOpen(channel);
    for (const channel of this.#incidents.waiting) this.#arm(channel);
    this.#listening = this.#listen();
  }

  /** Tells what keeps a daemon that has just started from doing its work. */
  announce(): void {
    const { runtime, clock } = this.#options;
    this.#take(startNotice(runtime.view(), clock.now()));
  }

  /** What is gathered goes to the spool, and is delivered by the next run where it is not yet. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#listening;
    for (const cancel of this.#timers.values()) cancel();
    await Promise.all(this.#incidents.waiting.map((channel) => this.#flush(channel)));
    await this.#outboxes.close();
    await this.#incidentFile.save();
  }

  list(): readonly ChannelView[] {
    return this.#channels.map((channel) => ({
      name: channel.name,
      kind: channel.way.kind,
      target: targetOf(channel.way),
      level: channel.level,
      vms: channel.vms,
      origin: this.#store.channels.includes(channel) ? 'added' : 'configuration',
      waiting: this.#outboxes.waiting(channel.name),
      trouble: this.#outboxes.troubleOf(channel.name),
    }));
  }

  async add(channel: NewChannel, author: string): Promise<readonly ChannelView[]> {
    if (this.#channels.some(({ name }) => name === channel.name)) {
      const text = `there is a channel ${channel.name} already; choose another name, or remove it`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    if (channel.way.kind === 'email' && this.#settings.smtp === undefined) {
      const text = 'no mail can be sent: notifications.smtp of the configuration says by which server';
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    try {
      // A removal that was cut short left what another target was to be told.
      await this.#outboxes.clear(channel.name);
    } catch (cause) {
      const text = `what waited for a former channel ${channel.name} cannot be removed: ${errorMessage(cause)}`;
      throw new VmpulseError('ERR_VMPULSE_STORAGE', text, { cause });
    }
    // Without what goes after the origin of a URL, which may be a secret.
    const { name, level, vms, way } = channel;
    const text = `channel ${name} (${way.kind}, ${level}) added by ${author}`;
    await this.#options.record(text, {
      verb: 'notify-add',
      author,
      channel: name,
      kind: way.kind,
      level,
      vms,
    });
    await this.#tryOpen(await this.#store.add(channel));
    return this.list();
  }

  async remove(name: string, author: string): Promise<readonly ChannelView[]> {
    const unknown = () => {
      const text = `no channel ${plainText(name)} was added; vmpulse notify list shows them, and those of the configuration are removed there`;
      return new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    };
    if (!this.#store.channels.some((channel) => channel.name === name)) throw unknown();
    const data = { verb: 'notify-remove', author, channel: name };
    await this.#options.record(`channel ${name} removed by ${author}`, data);
    // Somebody else may have removed it meanwhile.
    if (!(await this.#store.remove(name))) throw unknown();
    await this.#closeChannel(name);
    await this.#incidentFile.save();
    return this.list();
  }

  /** Why settings cannot be taken; undefined: they can. */
  problemOf({ channels }: NotifySettings): string | undefined {
    const taken = channels.find(({ name }) => this.#store.channels.some((added) => added.name === name));
    if (taken === undefined) return undefined;
    return `notifications.channels: there is a channel ${taken.name} already that was added; choose another name, or remove it with vmpulse notify remove`;
  }

  /**
   * Tells by new settings from now on. What waits for a channel that stays goes to its new target; what waits for one that
   * goes is dropped with it, as by remove(). Never rejects.
   */
  async configure(settings: NotifySettings): Promise<void> {
    const before = this.#settings.channels;
    this.#settings = settings;
    const names = new Set(this.#channels.map(({ name }) => name));
    for (const { name } of before) if (!names.has(name)) await this.#closeChannel(name);
    for (const channel of settings.channels)
      if (!this.#outboxes.has(channel.name)) await this.#tryOpen(channel);
    await this.#incidentFile.save();
  }

  /** It is in no list any more. Never rejects. */
  async #closeChannel(name: string): Promise<void> {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    this.#incidents.told(name, Number.POSITIVE_INFINITY);
    await this.#flushes.get(name);
    await this.#outboxes.remove(name);
  }

  async test(name: string | undefined): Promise<readonly TestView[]> {
    const channels = this.#channels.filter((channel) => name === undefined || channel.name === name);
    if (channels.length === 0) {
      const text = name === undefined ? 'there is no channel' : `there is no channel ${plainText(name)}`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${text}; vmpulse notify list shows them`);
    }
    return Promise.all(channels.map((channel) => this.#test(channel)));
  }

  get #channels(): readonly NotifyChannel[] {
    const { channels } = this.#settings;
    return [
      ...channels,
      ...this.#store.channels.filter(({ name }) => !channels.some((each) => each.name === name)),
    ];
  }

  async #test(channel: NotifyChannel): Promise<TestView> {
    const { clock, host, secret } = this.#options;
    const atMs = clock.now();
    const notice = { kind: 'test', severity: 'info', atMs, text: 'a test of this channel' } as const;
    const incident = { id: `test@${atMs}`, vm: null, isOver: false, notices: [notice] };
    const message: Message = { host, severity: 'info', incidents: [incident], more: 0 };
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(TEST_MS)]);
    try {
      await sendBy(channel.way, {
        id: randomUUID(),
        atMs,
        message,
        smtp: this.#settings.smtp,
        secret,
        signal,
      });
      return { channel: channel.name, result: 'sent', text: targetOf(channel.way) };
    } catch (error) {
      return { channel: channel.name, result: 'failed', text: plainText(errorMessage(error), 300) };
    }
  }

  async #listen(): Promise<void> {
    for await (const event of this.#options.runtime.events({ signal: this.#abort.signal })) {
      const notice = noticeOf(event);
      if (notice !== undefined) this.#take(notice);
    }
  }

  #take(notice: Notice): void {
    const waitingBefore = new Set(this.#incidents.waiting);
    if (this.#incidents.take(notice, this.#channels))
      for (const channel of this.#incidents.waiting) if (!waitingBefore.has(channel)) this.#arm(channel);
    this.#incidentFile.changed();
  }

  #arm(channel: string, delayMs = this.#settings.groupMs): void {
    const { clock } = this.#options;
    this.#timers.get(channel)?.();
    if (this.#abort.signal.aborted) return;
    this.#timers.set(
      channel,
      clock.at(clock.now() + delayMs, () => void this.#flush(channel)),
    );
  }

  /** One after another for each channel: two at once would spool the same notices. Never rejects. */
  #flush(channel: string): Promise<void> {
    const flush = (this.#flushes.get(channel) ?? Promise.resolve())
      .then(() => this.#spool(channel))
      .finally(() => {
        if (this.#flushes.get(channel) === flush) this.#flushes.delete(channel);
      });
    this.#flushes.set(channel, flush);
    return flush;
  }

  /** Never rejects: what cannot be spooled is gathered further. */
  async #spool(channel: string): Promise<void> {
    if (!this.#outboxes.has(channel)) await this.#reopen(channel);
    const gathered = this.#incidents.message(channel, this.#options.host);
    if (gathered === undefined || !this.#outboxes.has(channel)) return;
    // What came during the write belongs to the next message.
    if (await this.#outboxes.put(channel, gathered.message)) this.#incidents.told(channel, gathered.count);
    if (this.#incidents.waiting.includes(channel)) this.#arm(channel);
    // At once: a daemon that dies before tells the same again in another message.
    await this.#incidentFile.save();
  }

  async #reopen(name: string): Promise<void> {
    const channel = this.#channels.find((each) => each.name === name);
    if (channel !== undefined) return this.#tryOpen(channel);
    // It was removed: nobody is to be told what was gathered for it.
    this.#incidents.told(name, Number.POSITIVE_INFINITY);
    this.#incidentFile.changed();
  }

  /** One that cannot be opened silences no other, and is tried again. Never rejects. */
  async #tryOpen(channel: NotifyChannel): Promise<void> {
    if (!(await this.#outboxes.open(channel))) this.#arm(channel.name);
  }
}
