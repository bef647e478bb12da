import type { VmpulseError } from '../model/errors.js';
import type { Outcome, ProbeResult } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type {
  ChannelEvent,
  ChannelOptions,
  EngineEvent,
  EngineStats,
  Target,
  TargetCheck,
  TargetStatus,
} from './probe-engine.js';

/** The end of a call, by the number it was made with. */
export type Completion =
  | { readonly call: number; readonly result: ProbeResult }
  /** The `return` value of a channel command, untrusted JSON. */
  | { readonly call: number; readonly value: unknown }
  /** What restore() takes. */
  | { readonly call: number; readonly snapshot: Uint8Array }
  | { readonly call: number; readonly error: VmpulseError };

/** Events in order. Those of the native engine become objects where they are taken: ten thousands may come at once. */
export interface EventList {
  readonly length: number;
  slice(from: number, to: number): readonly EngineEvent[];
}

/** What waited in a backend. */
export interface Batch {
  readonly events: EventList;
  readonly completions: readonly Completion[];
  readonly channelEvents: readonly { readonly channel: number; readonly event: ChannelEvent }[];
  /** The backend ended after close(). */
  readonly stopped: boolean;
}

/**
 * What schedules and probes, below the one ProbeEngine class, which owns promises, iteration and life time.
 * Calls that take a number answer by a completion of that number, or throw. A signal says that collect() has news.
 */
export interface EngineBackend {
  readonly backend: 'native' | 'portable';
  add(targets: readonly Target[]): Uint32Array;
  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void;
  remove(handles: Uint32Array): void;
  suspend(handles: Uint32Array): void;
  resume(handles: Uint32Array): void;
  newInstance(handles: Uint32Array): void;
  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean;
  probeNow(call: number, handle: number, timeoutMs: number | undefined): void;
  probeOnce(call: number, check: TargetCheck, timeoutMs: number, debug: boolean): void;
  /** The answer is not wanted any more. */
  cancel(call: number): void;
  openChannel(options: ChannelOptions): number;
  closeChannel(channel: number): void;
  request(call: number, channel: number, command: string, args: string | undefined, deadlineMs: number): void;
  status(handle: number): TargetStatus;
  stats(): EngineStats;
  /** Of all targets, with all that was told before the call. */
  snapshot(call: number): void;
  restore(snapshot: Uint8Array): void;
  /** Moves out what waits; events of targets stay, and go on coalescing, unless asked for. */
  collect(withEvents: boolean): Batch;
  /** Begins the end; a batch says `stopped`. */
  close(): void;
  /** Frees everything; only after `stopped`. */
  dispose(): void;
}
