import { VmpulseError } from '../model/errors.js';
import type { Channel, ChannelEvent } from './probe-engine.js';

/** Events kept for a listener that is not set yet. */
const MAX_KEPT = 256;

/** What a channel asks of its engine. */
export interface ChannelOwner {
  request: (
    channel: number,
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ) => Promise<unknown>;
  close: (channel: number) => void;
}

/** The JavaScript side of a channel: its listener and whether it is connected, as far as was told. */
export class EngineChannel implements Channel {
  readonly handle: number;
  readonly #owner: ChannelOwner;
  #connected = false;
  #closed = false;
  #listener: ((event: ChannelEvent) => void) | undefined;
  #kept: ChannelEvent[] = [];

  constructor(handle: number, owner: ChannelOwner) {
    this.handle = handle;
    this.#owner = owner;
  }

  get connected(): boolean {
    return this.#connected;
  }

  async request(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<unknown> {
    if (this.#closed) throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the channel is closed');
    return this.#owner.request(this.handle, command, args, options);
  }

  onEvent(listener: (event: ChannelEvent) => void): void {
    this.#listener = listener;
    const kept = this.#kept;
    this.#kept = [];
    for (const event of kept) call(listener, event);
  }

  close(): void {
    if (this.#closed) return;
    this.end();
    this.#owner.close(this.handle);
  }

  /** The engine closed. */
  end(): void {
    this.#closed = true;
    this.#connected = false;
  }

  /** An event arrived. */
  deliver(event: ChannelEvent): void {
    if (event.type === 'connected') this.#connected = true;
    if (event.type === 'disconnected') this.#connected = false;
    if (this.#listener !== undefined) {
      call(this.#listener, event);
      return;
    }
    this.#kept.push(event);
    if (this.#kept.length <= MAX_KEPT) return;
    const [first, second] = this.#kept.splice(0, 2);
    const count = lost(first) + lost(second);
    this.#kept.unshift({ type: 'dropped', count, atMs: event.atMs });
  }
}

function lost(event: ChannelEvent | undefined): number {
  return event?.type === 'dropped' ? event.count : 1;
}

/** A listener that throws must not stop the delivery to others; its error surfaces as an uncaught one. */
function call(listener: (event: ChannelEvent) => void, event: ChannelEvent): void {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
