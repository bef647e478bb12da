import type { Outcome } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type { Batch, EngineBackend } from './backend.js';
import { decodeBatch, decodeStatus, guarded, outcomeNumber, reasonAt } from './native-decode.js';
import { loadNativeModule, type NativeEngine, type NativeModule } from './native-module.js';
import type {
  ChannelOptions,
  EngineOptions,
  EngineStats,
  Target,
  TargetCheck,
  TargetStatus,
} from './probe-engine.js';

/** Targets that cross into the addon at once: bounds the JSON text that is alive. */
const ADD_AT_ONCE = 4096;
const DEFAULT_RECONNECT_MS = 100;
const DEFAULT_GREETING_TIMEOUT_MS = 2000;

/** The engine of the Rust addon: reactor threads on epoll, and io_uring for TCP connects where the kernel allows it. */
export class NativeBackend implements EngineBackend {
  readonly backend = 'native';
  readonly #module: NativeModule;
  readonly #engine: NativeEngine;

  /** `addonPath`: load this file and no other. */
  constructor(options: EngineOptions, addonPath: string | undefined, signal: () => void) {
    this.#module = loadNativeModule(addonPath);
    this.#engine = guarded(() => new this.#module.NativeEngine(options, signal));
  }

  add(targets: readonly Target[]): Uint32Array {
    const handles = new Uint32Array(targets.length);
    let done = 0;
    try {
      while (done < targets.length) {
        const { json, pems } = encodeTargets(targets.slice(done, done + ADD_AT_ONCE));
        const first = done;
        const added = guarded(() => this.#engine.add(json, pems, first));
        handles.set(added, done);
        done += added.length;
      }
    } catch (error) {
      this.#engine.remove(handles.slice(0, done));
      throw error;
    }
    return handles;
  }

  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void {
    guarded(() => this.#engine.update(JSON.stringify(changes)));
  }

  remove(handles: Uint32Array): void {
    guarded(() => this.#engine.remove(handles));
  }

  suspend(handles: Uint32Array): void {
    guarded(() => this.#engine.suspend(handles));
  }

  resume(handles: Uint32Array): void {
    guarded(() => this.#engine.resume(handles));
  }

  newInstance(handles: Uint32Array): void {
    guarded(() => this.#engine.newInstance(handles));
  }

  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean {
    return guarded(() => this.#engine.report(handle, epoch, outcomeNumber(outcome), durationMs));
  }

  probeNow(call: number, handle: number, timeoutMs: number | undefined): void {
    guarded(() => this.#engine.probeNow(call, handle, timeoutMs));
  }

  probeOnce(call: number, check: TargetCheck, timeoutMs: number, debug: boolean): void {
    const pems: string[] = [];
    const json = JSON.stringify(wireCheck(check, pems));
    guarded(() => this.#engine.probeOnce(call, json, pems, timeoutMs, debug));
  }

  cancel(call: number): void {
    guarded(() => this.#engine.cancel(call));
  }

  openChannel(options: ChannelOptions): number {
    const { protocol, path, vsockPort, reconnectMs = DEFAULT_RECONNECT_MS } = options;
    const { greetingTimeoutMs = DEFAULT_GREETING_TIMEOUT_MS } = options;
    return guarded(() => this.#engine.openChannel(protocol, path, reconnectMs, greetingTimeoutMs, vsockPort));
  }

  closeChannel(channel: number): void {
    guarded(() => this.#engine.closeChannel(channel));
  }

  request(
    call: number,
    channel: number,
    command: string,
    args: string | undefined,
    deadlineMs: number,
  ): void {
    guarded(() => this.#engine.request(call, channel, command, args, deadlineMs));
  }

  status(handle: number): TargetStatus {
    return decodeStatus(guarded(() => this.#engine.status(handle)));
  }

  stats(): EngineStats {
    const stats = guarded(() => this.#engine.stats());
    const kind = (index: number) => this.#module.kinds[index] ?? String(index);
    const outcomes = [];
    for (let at = 0; at < stats.outcomes.length; at += 3) {
      const [kindIndex = 0, outcome = 0, count = 0] = stats.outcomes.subarray(at, at + 3);
      outcomes.push({
        kind: kind(kindIndex),
        reason: outcome === 0 ? ('ok' as const) : reasonAt(outcome - 1),
        count,
      });
    }
    const [p50 = 0, p99 = 0, max = 0] = stats.latenessUs;
    return {
      targets: stats.targets,
      inFlight: stats.inFlight,
      probesStarted: stats.started,
      outcomes,
      durations: stats.durations.map((entry) => ({
        kind: kind(entry.kind),
        bounds: this.#module.durationBounds,
        counts: [...entry.counts],
        sumSeconds: entry.sumSeconds,
      })),
      latenessMs: { p50: p50 / 1000, p99: p99 / 1000, max: max / 1000 },
      coalesced: stats.coalesced,
      reactorPanics: stats.reactorPanics,
      reactorsDown: stats.reactorsDown,
      backend: 'native',
      reactor: stats.reactor === 'io_uring' ? 'io_uring' : 'epoll',
    };
  }

  snapshot(call: number): void {
    guarded(() => this.#engine.snapshot(call));
  }

  restore(snapshot: Uint8Array): void {
    guarded(() => this.#engine.restore(snapshot));
  }

  collect(withEvents: boolean): Batch {
    return decodeBatch(guarded(() => this.#engine.collect(withEvents)));
  }

  close(): void {
    guarded(() => this.#engine.close());
  }

  dispose(): void {
    this.#engine.dispose();
  }
}

/** Targets as JSON, and apart from it the PEM bundles, each once. */
function encodeTargets(targets: readonly Target[]): { json: string; pems: string[] } {
  const pems: string[] = [];
  const wire = targets.map((target) => ({ ...target, check: wireCheck(target.check, pems) }));
  return { json: JSON.stringify(wire), pems };
}

function wireCheck(check: TargetCheck, pems: string[]): object {
  if (!('caPem' in check) || check.caPem === undefined) return check;
  const { caPem, ...rest } = check;
  let ca = pems.indexOf(caPem);
  if (ca < 0) ca = pems.push(caPem) - 1;
  return { ...rest, ca };
}
