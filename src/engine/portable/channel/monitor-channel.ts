import type { Reason } from '../../../model/reasons.js';
import type { ChannelEvent, ChannelOptions } from '../../probe-engine.js';
import { monoMs, wallMs } from '../clock.js';
import type { Timer, Timers } from '../timers.js';
import type { Backlog } from './backlog.js';
import { EventSource } from './event-source.js';
import { type Connection, type Down, Link, type LinkEvents } from './link.js';
import { greets, newSession } from './new-session.js';
import { isRest } from './request.js';
import type { EncodedRequest, Session, SessionMessage } from './session.js';

/** Requests that wait for their turn or their answer. */
const MAX_PENDING = 256;
/** The delay of reconnection doubles up to this often. */
const MAX_BACKOFF = 4;
const BUSY: Down = {
  reason: 'channel-busy',
  detail: 'the socket accepts but does not answer: another client holds it, or the VMM is stopped',
};

/** How a request ended, other than by its deadline. */
export type Reply =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'refused'; readonly class: string; readonly description: string }
  /** Not connected, or lost on the way. */
  | ({ readonly type: 'lost' } & Down)
  /** Too many requests wait. */
  | { readonly type: 'full' }
  /** The channel takes no requests. */
  | { readonly type: 'unsupported' }
  | { readonly type: 'closed' };

interface Pending {
  readonly id: number;
  readonly answer: (reply: Reply) => void;
  /** Until it is sent. */
  request: EncodedRequest | undefined;
}

export interface MonitorChannelOptions extends Required<Omit<ChannelOptions, 'vsockPort'>> {
  readonly vsockPort: number | undefined;
  readonly timers: Timers;
  readonly backlog: Backlog;
  /** `bytes`: what keeping the event costs. */
  readonly tell: (event: ChannelEvent, bytes: number) => void;
}

/** The one owner of a monitor or agent socket: queue, deadlines, reconnection. */
export class MonitorChannel {
  readonly #options: MonitorChannelOptions;
  #link: Connection | Down = { reason: 'cancelled', detail: 'not tried yet' };
  #pending: Pending[] = [];
  #nextId = 1;
  #failures = 0;
  #timer: Timer | undefined;
  /** What was told last: connected, or why not. */
  #told: 'connected' | Reason | undefined;
  /**
   * The last connection that ended had answered something, or there was none. Only then a new connection to an API,
   * which greets nobody, is told before its first answer: else a peer that hangs up would come and go without end.
   */
  #isProven = true;
  #isClosed = false;

  constructor(options: MonitorChannelOptions) {
    this.#options = options;
    this.#connect();
  }

  get protocol(): ChannelOptions['protocol'] {
    return this.#options.protocol;
  }

  /** Queues a command, or answers when there is no use, never before it returns. The id is for `forget`. */
  request(request: EncodedRequest, answer: (reply: Reply) => void): number {
    const id = this.#nextId++;
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      queueMicrotask(() => answer(refusal));
      return id;
    }
    this.#pending.push({ id, request, answer });
    this.#pump();
    return id;
  }

  /** The deadline of a request passed, or nobody waits for it any more. Says what a deadline means now. */
  forget(id: number): Reason {
    const hasWaited = this.#pending.some((pending) => pending.id === id && pending.request !== undefined);
    this.#pending = this.#pending.filter((request) => request.id !== id);
    const link = this.#link;
    if (!('session' in link)) return 'agent-not-connected';
    if (isRest(this.protocol)) return this.#forgetRest(link.session, id, hasWaited);
    const reason = link.session.timeoutReason;
    link.session.forget(id);
    if (reason === 'response-timeout' && !link.session.isReady) this.#watchHandshake();
    const isUnaccepted = reason === 'agent-not-connected' && this.#options.backlog.holds(this.#options.path);
    this.#pump();
    return isUnaccepted ? 'channel-busy' : reason;
  }

  /** As `forget`. `hasWaited`: it was not sent yet. */
  #forgetRest(session: Session, id: number, hasWaited: boolean): Reason {
    // A long command of our own is at work, so nothing is known of the API.
    const isBehindAnother = hasWaited && !session.isReady && session.isStuck !== true;
    session.forget(id);
    if (session.isStuck === true && this.#timer === undefined) this.#watchHandshake();
    this.#pump();
    return isBehindAnother ? 'channel-busy' : 'response-timeout';
  }

  /** Idempotent. Outstanding requests end as closed. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    if ('session' in this.#link) this.#link.leave();
    this.#failPending({ type: 'closed' });
    this.#link = { reason: 'cancelled', detail: 'the channel is closed' };
  }

  #refusal(): Reply | undefined {
    if (this.#isClosed) return { type: 'closed' };
    if (this.protocol === 'cloud-hypervisor-events') return { type: 'unsupported' };
    if (!('session' in this.#link)) return { type: 'lost', ...this.#link };
    if (this.#link.busy) return { type: 'lost', ...BUSY };
    return this.#pending.length >= MAX_PENDING ? { type: 'full' } : undefined;
  }

  /** Begins a connection, in the place of the one there is; requests that were not sent yet go over it. */
  #connect(): void {
    if ('session' in this.#link) this.#link.leave();
    this.#cancelTimer();
    const { path, protocol, timers } = this.#options;
    const events: LinkEvents = {
      connected: () => this.#onConnected(),
      message: (message) => this.#onMessage(message),
      idle: () => this.#onIdle(),
      down: (down) => this.#onDown(down),
    };
    const session = newSession(protocol, this.#options.vsockPort);
    this.#link =
      protocol === 'cloud-hypervisor-events'
        ? new EventSource(path, session, this.#told === undefined, timers, events)
        : new Link(path, session, !isRest(protocol), events);
    if (greets(protocol)) this.#watchHandshake();
    this.#pump();
  }

  #onConnected(): void {
    if (greets(this.protocol)) return;
    if (this.protocol === 'cloud-hypervisor-events') this.#failures = 0;
    if (this.#isProven) this.#tellConnected();
  }

  #onIdle(): void {
    if ('session' in this.#link && this.#link.session.isSpent === true) this.#connect();
    else this.#pump();
  }

  #onDown(down: Down): void {
    const session = 'session' in this.#link ? this.#link.session : undefined;
    // A peer that closes a connection after its work: what waits goes over the next one.
    if (session?.isReplaceable === true && down.reason === 'connection-closed') this.#connect();
    else this.#disconnected(down);
  }

  #disconnected(down: Down): void {
    const link = this.#link;
    if ('session' in link && link.wasOpen) this.#isProven = link.session.isProven ?? true;
    this.#link = down;
    this.#arm(this.#options.reconnectMs * 2 ** Math.min(this.#failures, MAX_BACKOFF), () => this.#connect());
    this.#failures += 1;
    this.#tellDown(down);
    this.#failPending({ type: 'lost', ...down });
  }

  /**
   * No greeting, or no answer to the sync: stay in the peer's backlog, it will serve us when it can. A port of a guest is
   * connected to anew: what leads nowhere, as after a reboot or a pause of the guest, never will.
   */
  #onSilence(): void {
    const link = this.#link;
    if (!('session' in link)) return;
    if (isRest(this.protocol)) {
      this.#onSilenceOfApi(link.session);
      return;
    }
    const isAgent = this.protocol === 'qga';
    const isUnaccepted = isAgent && this.#options.backlog.holds(this.#options.path);
    const reason = isUnaccepted ? 'channel-busy' : link.session.timeoutReason;
    link.busy = reason === 'channel-busy';
    const who = isAgent ? 'the guest agent' : 'the monitor';
    const down = link.busy ? BUSY : { reason, detail: `${who} does not answer` };
    if (this.#options.vsockPort !== undefined && !isUnaccepted) {
      link.leave();
      this.#disconnected({ reason: 'agent-not-connected', detail: down.detail });
      return;
    }
    if (isAgent) link.session.forget(0);
    this.#tellDown(down);
    if (link.busy) this.#failPending({ type: 'lost', ...down });
    if (isAgent) this.#watchHandshake();
    this.#pump();
  }

  /** The answer to a request that was given up did not come either. */
  #onSilenceOfApi(session: Session): void {
    if (session.isStuck !== true) return;
    // Nobody accepts: one connection that waits is enough, and is served when the API lives again.
    if (this.#options.backlog.holds(this.#options.path)) this.#watchHandshake();
    else this.#connect();
  }

  #onMessage(message: SessionMessage): void {
    switch (message.type) {
      case 'ready':
        this.#onReady();
        return;
      case 'return':
        this.#answer(message.id, { type: 'value', value: message.value });
        return;
      case 'error':
        this.#answer(message.id, {
          type: 'refused',
          class: message.class,
          description: message.description,
        });
        return;
      case 'eventLost':
        this.#options.tell({ type: 'dropped', count: 1, atMs: wallMs() }, 0);
        return;
      case 'event': {
        const { name, data, bytes } = message;
        this.#options.tell({ type: 'event', name, data, atMs: wallMs() }, bytes);
      }
    }
  }

  #onReady(): void {
    this.#failures = 0;
    this.#cancelTimer();
    if ('session' in this.#link) this.#link.busy = false;
    this.#tellConnected();
  }

  #tellConnected(): void {
    if (this.#told === 'connected') return;
    this.#told = 'connected';
    this.#options.tell({ type: 'connected', atMs: wallMs() }, 0);
  }

  #tellDown({ reason, detail }: Down): void {
    if (this.#told === reason) return;
    this.#told = reason;
    this.#options.tell({ type: 'disconnected', reason, detail, atMs: wallMs() }, detail.length);
  }

  #answer(id: number, reply: Reply): void {
    const pending = this.#pending.find((request) => request.id === id);
    if (pending === undefined) return;
    this.#pending = this.#pending.filter((request) => request !== pending);
    pending.answer(reply);
  }

  #failPending(reply: Reply): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const request of pending) request.answer(reply);
  }

  /** Hands queued requests to the session and what the session says to the socket. */
  #pump(): void {
    const link = this.#link;
    if (!('session' in link)) return;
    for (const pending of this.#pending) {
      if (pending.request === undefined) continue;
      if (!link.session.isReady) break;
      link.session.send(pending.id, pending.request);
      pending.request = undefined;
    }
    link.flush();
  }

  #watchHandshake(): void {
    this.#arm(this.#options.greetingTimeoutMs, () => this.#onSilence());
  }

  #arm(delayMs: number, fire: () => void): void {
    this.#cancelTimer();
    this.#timer = this.#options.timers.arm(monoMs() + delayMs, () => {
      this.#timer = undefined;
      fire();
    });
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#options.timers.cancel(this.#timer);
    this.#timer = undefined;
  }
}
