import type { Batch, Completion } from '../backend.js';
import type { ChannelEvent, Due, Transition } from '../probe-engine.js';

/** Events of one channel that are kept while nobody collects them. */
const MAX_CHANNEL_EVENTS = 256;
/** Bytes of messages in them. */
const MAX_CHANNEL_BYTES = 1024 * 1024;

interface ChannelQueue {
  events: { readonly event: ChannelEvent; readonly bytes: number }[];
  bytes: number;
  dropped: number;
}

/** What waits to be collected: one transition and one due a target, bounded queues a channel, answers. */
export class Outbox {
  readonly #signal: () => void;
  #transitions = new Map<number, Transition>();
  #dues = new Map<number, Due>();
  #completions: Completion[] = [];
  #channels = new Map<number, ChannelQueue>();
  #coalesced = 0;
  /** A signal is on its way and nothing was collected since. */
  #signalled: NodeJS.Immediate | undefined;

  /** `signal`: never called within a call of this object. */
  constructor(signal: () => void) {
    this.#signal = signal;
  }

  /** Transitions that were replaced before they were collected, in total. */
  get coalesced(): number {
    return this.#coalesced;
  }

  /** Keeps the first `from` and the newest rest of what was not collected. */
  transition(next: Transition): void {
    const waiting = this.#transitions.get(next.handle);
    if (waiting === undefined) this.#transitions.set(next.handle, next);
    else {
      this.#coalesced += 1;
      this.#transitions.set(next.handle, { ...next, from: waiting.from, coalesced: waiting.coalesced + 1 });
    }
    this.news();
  }

  due(next: Due): void {
    this.#dues.set(next.handle, next);
    this.news();
  }

  /** The target was removed, or its instance is over: nothing of it is told. */
  forget(handle: number): void {
    this.#transitions.delete(handle);
    this.#dues.delete(handle);
  }

  complete(completion: Completion): void {
    this.#completions.push(completion);
    this.news();
  }

  channelEvent(channel: number, event: ChannelEvent, bytes: number): void {
    const queue = this.#channels.get(channel) ?? { events: [], bytes: 0, dropped: 0 };
    this.#channels.set(channel, queue);
    queue.events.push({ event, bytes });
    queue.bytes += bytes;
    while (queue.events.length > MAX_CHANNEL_EVENTS || queue.bytes > MAX_CHANNEL_BYTES) {
      queue.bytes -= queue.events.shift()?.bytes ?? 0;
      queue.dropped += 1;
    }
    this.news();
  }

  forgetChannel(channel: number): void {
    this.#channels.delete(channel);
  }

  /** Signals, once until the next collection. */
  news(): void {
    if (this.#signalled !== undefined) return;
    // Not unreferenced: such an immediate waits until something else wakes the loop.
    this.#signalled = setImmediate(() => this.#signal());
  }

  /** Moves out what waits. Transitions and dues stay, and go on coalescing, unless asked for. */
  collect(withEvents: boolean): Pick<Batch, 'events' | 'completions' | 'channelEvents'> {
    clearImmediate(this.#signalled);
    this.#signalled = undefined;
    const events = withEvents ? [...this.#transitions.values(), ...this.#dues.values()] : [];
    if (withEvents) {
      this.#transitions = new Map();
      this.#dues = new Map();
    }
    const completions = this.#completions;
    this.#completions = [];
    const channelEvents = [...this.#channels].flatMap(([channel, queue]) =>
      eventsOf(queue).map((event) => ({ channel, event })),
    );
    this.#channels = new Map();
    return { events, completions, channelEvents };
  }

  close(): void {
    clearImmediate(this.#signalled);
  }
}

function eventsOf({ events, dropped }: ChannelQueue): ChannelEvent[] {
  const kept = events.map(({ event }) => event);
  const [first] = kept;
  if (dropped === 0) return kept;
  return [{ type: 'dropped', count: dropped, atMs: first?.atMs ?? 0 }, ...kept];
}
