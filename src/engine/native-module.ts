import { createRequire } from 'node:module';
import { z } from 'zod';
import { loadAddon } from '../addon/load-addon.js';
import { VmpulseError } from '../model/errors.js';
import { REASON_CLASS } from '../model/reasons.js';

/** Numbers of transitions and dues are flat: eleven and three an entry (native/engine/binding/src/convert.rs). */
export interface NativeBatch {
  readonly transitions: Float64Array;
  readonly dues: Float64Array;
  readonly completions: readonly NativeCompletion[];
  readonly channelEvents: readonly NativeChannelEvent[];
  readonly stopped: boolean;
}

export interface NativeCompletion {
  readonly call: number;
  readonly probe?: NativeProbe;
  readonly value?: string;
  readonly snapshot?: Uint8Array;
  readonly error?: { readonly code: string; readonly message: string; readonly class?: string };
}

export interface NativeProbe {
  readonly outcome: number;
  readonly durationMs: number;
  readonly warnings: readonly string[];
  readonly status?: number;
  readonly bodyBytes?: number;
  readonly redirects?: number;
  readonly tlsVersion?: string;
  readonly certificateNotAfter?: number;
  readonly sent?: number;
  readonly received?: number;
  readonly latencyMs?: number;
  readonly mac?: string;
  readonly message?: string;
  readonly transcript?: string;
}

export interface NativeChannelEvent {
  readonly channel: number;
  readonly atMs: number;
  readonly type: string;
  readonly reason?: number;
  readonly detail?: string;
  readonly name?: string;
  readonly data?: string;
  readonly count?: number;
}

export interface NativeStatus {
  readonly epoch: number;
  readonly state: number;
  readonly suspended: boolean;
  readonly reason?: number;
  readonly consecutiveOk: number;
  readonly consecutiveFailed: number;
  readonly consecutiveInconclusive: number;
  readonly lastOutcome?: number;
  readonly lastAtMs: number;
  readonly lastDurationMs: number;
  readonly lastOkMs: number;
}

export interface NativeStats {
  readonly targets: number;
  readonly inFlight: number;
  readonly started: number;
  readonly coalesced: number;
  readonly reactorPanics: number;
  readonly reactorsDown: number;
  readonly reactor: string;
  readonly outcomes: Float64Array;
  readonly durations: readonly {
    readonly kind: number;
    readonly counts: Float64Array;
    readonly sumSeconds: number;
  }[];
  readonly latenessUs: Uint32Array;
}

export interface NativeOptions {
  readonly maxInFlight?: number;
  readonly maxInFlightPerDestination?: number;
  readonly maxPacketsPerSecond?: number;
  readonly tickMs?: number;
  readonly lateMs?: number;
  readonly blindAfter?: number;
  readonly threads?: number;
  readonly reactor?: string;
}

/** The class of the addon; outcomes are numbers: 0 is ok, n is the reason n - 1. */
export interface NativeEngine {
  add(json: string, pems: readonly string[], firstIndex: number): Uint32Array;
  update(json: string): void;
  remove(handles: Uint32Array): void;
  suspend(handles: Uint32Array): void;
  resume(handles: Uint32Array): void;
  newInstance(handles: Uint32Array): void;
  report(handle: number, epoch: number, outcome: number, durationMs: number): boolean;
  probeNow(call: number, handle: number, timeoutMs: number | undefined): void;
  probeOnce(call: number, json: string, pems: readonly string[], timeoutMs: number, debug: boolean): void;
  cancel(call: number): void;
  status(handle: number): NativeStatus;
  stats(): NativeStats;
  snapshot(call: number): void;
  restore(bytes: Uint8Array): void;
  openChannel(
    protocol: string,
    path: string,
    reconnectMs: number,
    greetingTimeoutMs: number,
    vsockPort: number | undefined,
  ): number;
  closeChannel(handle: number): void;
  request(call: number, channel: number, command: string, args: string | undefined, timeoutMs: number): void;
  collect(withTransitions: boolean): NativeBatch;
  close(): void;
  dispose(): void;
}

export type NativeEngineClass = new (options: NativeOptions, notify: () => void) => NativeEngine;

/** Server of benchmarks; counts are of connections and requests so far. */
export interface NativeResponder {
  readonly port: number;
  readonly accepted: number;
  readonly answered: number;
  close(): void;
}

export type NativeResponderClass = new (tls: boolean) => NativeResponder;

const moduleSchema = z.object({
  NativeEngine: z.custom<NativeEngineClass>((value) => typeof value === 'function'),
  NativeResponder: z.custom<NativeResponderClass>((value) => typeof value === 'function'),
  tables: z.custom<() => unknown>((value) => typeof value === 'function'),
});

const tablesSchema = z.object({
  reasons: z.array(z.string()),
  kinds: z.array(z.string()),
  durationBounds: z.array(z.number()),
});

/** The addon with the tables that its numbers refer to. */
export interface NativeModule {
  readonly path: string;
  readonly NativeEngine: NativeEngineClass;
  readonly NativeResponder: NativeResponderClass;
  readonly kinds: readonly string[];
  /** Upper bounds of the duration histogram, seconds. */
  readonly durationBounds: readonly number[];
}

/**
 * Loads native/engine/build/engine.node or the prebuilt addon; `path`: this file and no other.
 * Throws ERR_VMPULSE_NATIVE naming every path tried and why it failed.
 */
export function loadNativeModule(path?: string): NativeModule {
  const addon = loadAddon({
    name: 'engine',
    root: new URL('../../', import.meta.url),
    localBuilds: ['native/engine/build/engine.node'],
    path,
    load: createRequire(import.meta.url),
  });
  const exports = moduleSchema.safeParse(addon.exports);
  const tables = tablesSchema.safeParse(exports.success ? exports.data.tables() : undefined);
  const ours = Object.keys(REASON_CLASS);
  if (!exports.success || !tables.success || tables.data.reasons.join() !== ours.join()) {
    throw new VmpulseError(
      'ERR_VMPULSE_NATIVE',
      `${addon.path} is of another version of vmpulse; build it again with: npm run build:engine`,
      { details: { tried: [addon.path] } },
    );
  }
  const { kinds, durationBounds } = tables.data;
  const { NativeEngine, NativeResponder } = exports.data;
  return { path: addon.path, NativeEngine, NativeResponder, kinds, durationBounds };
}
