import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type { Outcome, ProbeResult } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type { Completion, EngineBackend } from './backend.js';
import { EngineChannel } from './engine-channel.js';
import { EventStream } from './event-stream.js';
import { KeepAlive } from './keep-alive.js';
import { NativeBackend } from './native-backend.js';
import { PendingCalls } from './pending-calls.js';
import { PortableBackend } from './portable/index.js';
import type {
  Channel,
  ChannelOptions,
  EngineEvent,
  EngineOptions,
  EngineStats,
  ProbeEngine as ProbeEngineContract,
  Target,
  TargetCheck,
  TargetStatus,
} from './probe-engine.js';
import { Turns } from './turns.js';

const DEFAULT_CLOSE_MS = 1000;
/** Longest wait for a snapshot, which takes the reactors some milliseconds. */
const SNAPSHOT_MS = 5_000;

export interface ProbeEngineOptions extends EngineOptions {
  /** Which engine; `auto` (default): the native one, or the portable one where the addon cannot be loaded. */
  readonly engine?: 'auto' | 'native' | 'portable';
  /** An engine.node to load instead of the one of this package. */
  readonly addonPath?: string;
  /** Told once when `auto` has to take the portable engine; `error` (ERR_VMPULSE_NATIVE) says why. */
  readonly onFallback?: (error: VmpulseError) => void;
}

/**
 * Schedules, runs and counts probes; only changes of state leave it (see the interface of the same name).
 * Throws ERR_VMPULSE_NATIVE when `native` is asked for and the addon cannot be loaded, ERR_VMPULSE_ARGUMENT for options
 * out of range.
 */
export class ProbeEngine implements ProbeEngineContract {
  readonly backend: 'native' | 'portable';
  readonly #backend: EngineBackend;
  readonly #calls: PendingCalls;
  readonly #channels = new Map<number, EngineChannel>();
  readonly #completions = new Turns<Completion>((completion) => this.#calls.complete(completion));
  readonly #alive = new KeepAlive();
  #stream: EventStream | undefined;
  /** Events may have been left in the backend since they were last asked for. */
  #leftEvents = true;
  #closing: Promise<void> | undefined;
  #onStopped: (() => void) | undefined;
  #disposed = false;

  constructor(options: ProbeEngineOptions = {}) {
    this.#backend = openBackend(options, () => this.#collect());
    this.backend = this.#backend.backend;
    this.#calls = new PendingCalls(
      (call) => this.#backend.cancel(call),
      () => this.#weigh(),
    );
  }

  add(targets: readonly Target[]): Uint32Array {
    return this.#open().add(targets);
  }

  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void {
    this.#open().update(changes);
  }

  remove(handles: ArrayLike<number>): void {
    this.#open().remove(Uint32Array.from(handles));
  }

  suspend(handles: ArrayLike<number>): void {
    this.#open().suspend(Uint32Array.from(handles));
  }

  resume(handles: ArrayLike<number>): void {
    this.#open().resume(Uint32Array.from(handles));
  }

  newInstance(handles: ArrayLike<number>): void {
    this.#open().newInstance(Uint32Array.from(handles));
  }

  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean {
    return this.#open().report(handle, epoch, outcome, durationMs);
  }

  async probeNow(
    handle: number,
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
  ): Promise<ProbeResult> {
    const backend = this.#open();
    return result(
      await this.#calls.start((call) => backend.probeNow(call, handle, options.timeoutMs), options.signal),
    );
  }

  async probeOnce(
    check: TargetCheck,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly debug?: boolean },
  ): Promise<ProbeResult> {
    const backend = this.#open();
    const { timeoutMs, debug = false } = options;
    return result(
      await this.#calls.start((call) => backend.probeOnce(call, check, timeoutMs, debug), options.signal),
    );
  }

  status(handle: number): TargetStatus {
    return this.#open().status(handle);
  }

  stats(): EngineStats {
    return this.#open().stats();
  }

  async snapshot(): Promise<Uint8Array> {
    const backend = this.#open();
    const late = AbortSignal.timeout(SNAPSHOT_MS);
    try {
      const completion = await this.#calls.start((call) => backend.snapshot(call), late);
      if ('snapshot' in completion) return completion.snapshot;
    } catch (error) {
      if (!late.aborted) throw error;
      const text = `no snapshot was made within ${SNAPSHOT_MS} ms; the host is overloaded`;
      throw new VmpulseError('ERR_VMPULSE_TIMEOUT', text, { cause: error });
    }
    throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'a snapshot was answered by something else');
  }

  restore(snapshot: Uint8Array): void {
    this.#open().restore(snapshot);
  }

  openChannel(options: ChannelOptions): Channel {
    const handle = this.#open().openChannel(options);
    const channel = new EngineChannel(handle, {
      request: (...args) => this.#request(...args),
      close: (closed) => {
        this.#channels.delete(closed);
        if (this.#closing === undefined) this.#backend.closeChannel(closed);
      },
    });
    this.#channels.set(handle, channel);
    return channel;
  }

  transitions(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<readonly EngineEvent[]> {
    this.#open();
    if (this.#stream !== undefined) {
      throw new VmpulseError(
        'ERR_VMPULSE_ARGUMENT',
        'transitions() has one consumer; end the iteration that runs before another begins',
      );
    }
    const stream: EventStream = new EventStream(
      () => {
        if (this.#leftEvents) this.#collect();
      },
      () => {
        if (this.#stream === stream) this.#stream = undefined;
        this.#weigh();
      },
      options.signal,
    );
    if (options.signal?.aborted !== true) this.#stream = stream;
    this.#weigh();
    return stream;
  }

  ref(): void {
    this.#open();
    this.#alive.choose(true);
  }

  unref(): void {
    this.#open();
    this.#alive.choose(false);
  }

  close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.deadlineMs ?? DEFAULT_CLOSE_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The backend, unless closed. */
  #open(): EngineBackend {
    if (this.#closing !== undefined) throw closedError();
    return this.#backend;
  }

  async #request(
    channel: number,
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<unknown> {
    const backend = this.#open();
    const json = args === undefined ? undefined : JSON.stringify(args);
    const completion = await this.#calls.start(
      (call) => backend.request(call, channel, command, json, options.deadlineMs),
      options.signal,
    );
    return 'value' in completion ? completion.value : undefined;
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#backend.close();
    this.#stream?.end();
    this.#completions.end();
    this.#calls.rejectAll(closedError);
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
    this.#alive.end();
    const stopped = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), deadlineMs);
      this.#onStopped = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#collect();
    });
    // A reactor that does not stop in time is left to itself: waiting for it here would block this thread.
    if (!stopped) return;
    this.#disposed = true;
    this.#backend.dispose();
  }

  /** The backend has news: from its signal, or because someone asks. */
  #collect(): void {
    // A signal may still be on its way when the end was waited for.
    if (this.#disposed) return;
    const isHungry = this.#stream?.hungry ?? false;
    const batch = this.#backend.collect(isHungry);
    this.#leftEvents = !isHungry;
    for (const { channel, event } of batch.channelEvents) this.#channels.get(channel)?.deliver(event);
    // Behind ten thousand answers a snapshot would come too late; its second answer finds nobody who waits.
    for (const completion of batch.completions)
      if ('snapshot' in completion) this.#calls.complete(completion);
    this.#completions.push(batch.completions);
    if (batch.events.length > 0) this.#stream?.push(batch.events);
    if (batch.stopped) this.#onStopped?.();
  }

  #weigh(): void {
    this.#alive.because(this.#stream !== undefined || this.#calls.size > 0);
  }
}

function openBackend(options: ProbeEngineOptions, signal: () => void): EngineBackend {
  const { engine = 'auto', addonPath, onFallback, ...engineOptions } = options;
  if (engine === 'portable') return new PortableBackend(engineOptions, signal);
  try {
    return new NativeBackend(engineOptions, addonPath, signal);
  } catch (error) {
    if (engine === 'native' || !isVmpulseError(error, 'ERR_VMPULSE_NATIVE')) throw error;
    onFallback?.(error);
    return new PortableBackend(engineOptions, signal);
  }
}

function result(completion: Completion): ProbeResult {
  if ('result' in completion) return completion.result;
  throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'a probe was answered by something else than its result');
}

function closedError(): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CLOSED', 'the engine is closed');
}
