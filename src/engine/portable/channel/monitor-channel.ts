import { randomInt } from 'node:crypto';
import type { Reason } from '../../../model/reasons.js';
import type { ChannelEvent, ChannelOptions } from '../../probe-engine.js';
import { monoMs, wallMs } from '../clock.js';
import type { Timer, Timers } from '../timers.js';
import type { Backlog } from './backlog.js';
import { type Down, Link } from './link.js';
import { QgaSession } from './qga-session.js';
import { QmpSession } from './qmp-session.js';
import type { EncodedRequest, SessionMessage } from './session.js';

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
  | { readonly type: 'closed' };

interface Pending {
  readonly id: number;
  readonly answer: (reply: Reply) => void;
  /** Until it is sent. */
  request: EncodedRequest | undefined;
}

export interface MonitorChannelOptions extends Required<ChannelOptions> {
  readonly timers: Timers;
  readonly backlog: Backlog;
  /** `bytes`: what keeping the event costs. */
  readonly tell: (event: ChannelEvent, bytes: number) => void;
}

/** The one owner of a monitor or agent socket: queue, deadlines, reconnection. */
export class MonitorChannel {
  readonly #options: MonitorChannelOptions;
  #link: Link | Down = { reason: 'cancelled', detail: 'not tried yet' };
  #pending: Pending[] = [];
  #nextId = 1;
  #failures = 0;
  #timer: Timer | undefined;
  /** What was told last: connected, or why not. */
  #told: 'connected' | Reason | undefined;
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
    this.#pending = this.#pending.filter((request) => request.id !== id);
    const link = this.#link;
    if (!(link instanceof Link)) return 'agent-not-connected';
    const reason = link.session.timeoutReason;
    link.session.forget(id);
    if (reason === 'response-timeout' && !link.session.isReady) this.#watchHandshake();
    const isUnaccepted = reason === 'agent-not-connected' && this.#options.backlog.holds(this.#options.path);
    this.#pump();
    return isUnaccepted ? 'channel-busy' : reason;
  }

  /** Idempotent. Outstanding requests end as closed. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    if (this.#link instanceof Link) this.#link.leave();
    this.#failPending({ type: 'closed' });
    this.#link = { reason: 'cancelled', detail: 'the channel is closed' };
  }

  #refusal(): Reply | undefined {
    if (this.#isClosed) return { type: 'closed' };
    if (!(this.#link instanceof Link)) return { type: 'lost', ...this.#link };
    if (this.#link.busy) return { type: 'lost', ...BUSY };
    return this.#pending.length >= MAX_PENDING ? { type: 'full' } : undefined;
  }

  #connect(): void {
    const { path, protocol } = this.#options;
    const session = protocol === 'qmp' ? new QmpSession() : new QgaSession(randomInt(2 ** 32));
    this.#link = new Link(path, session, {
      message: (message) => this.#onMessage(message),
      idle: () => this.#pump(),
      down: (down) => this.#disconnected(down),
    });
    this.#watchHandshake();
    this.#pump();
  }

  #disconnected(down: Down): void {
    this.#link = down;
    this.#arm(this.#options.reconnectMs * 2 ** Math.min(this.#failures, MAX_BACKOFF), () => this.#connect());
    this.#failures += 1;
    this.#tellDown(down);
    this.#failPending({ type: 'lost', ...down });
  }

  /** No greeting, or no answer to the sync: stay in the peer's backlog, it will serve us when it can. */
  #onSilence(): void {
    const link = this.#link;
    if (!(link instanceof Link)) return;
    let reason = link.session.timeoutReason;
    if (this.protocol === 'qga') {
      link.session.forget(0);
      if (this.#options.backlog.holds(this.#options.path)) reason = 'channel-busy';
    }
    link.busy = reason === 'channel-busy';
    const who = this.protocol === 'qga' ? 'the guest agent' : 'the monitor';
    const down = link.busy ? BUSY : { reason, detail: `${who} does not answer` };
    this.#tellDown(down);
    if (link.busy) this.#failPending({ type: 'lost', ...down });
    if (this.protocol === 'qga') this.#watchHandshake();
    this.#pump();
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
      case 'event': {
        const { name, data, bytes } = message;
        this.#options.tell({ type: 'event', name, data, atMs: wallMs() }, bytes);
      }
    }
  }

  #onReady(): void {
    this.#failures = 0;
    this.#cancelTimer();
    if (this.#link instanceof Link) this.#link.busy = false;
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
    if (!(link instanceof Link)) return;
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
