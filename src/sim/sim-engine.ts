import { Stats } from '../engine/portable/stats.js';
import { idHash } from '../engine/portable/timing.js';
import type {
  Channel,
  EngineEvent,
  EngineStats,
  ProbeEngine,
  Target,
  TargetStatus,
} from '../engine/probe-engine.js';
import type { Change, SavedThresholds } from '../engine/thresholds.js';
import { VmpulseError } from '../model/errors.js';
import type { Outcome, ProbeResult } from '../model/outcome.js';
import type { ProbeTiming } from '../model/probe.js';
import type { Life } from './life.js';
import { see } from './outcomes.js';
import { hashOf } from './random.js';
import type { SimHost } from './sim-host.js';
import { type Seen, SimTarget, type TargetPorts } from './sim-target.js';

const BLIND_AFTER = 3;
/** After every grace, so that it is not simply out-waited. */
const STALE_MS = 150_000;

export interface SimEngineOptions {
  readonly host: SimHost;
  readonly life: Life;
  readonly maySleep: boolean;
  /** A broken prober, for canaries. */
  readonly distort?: (outcome: Outcome) => Outcome;
  /** A broken engine, for canaries: what the former instance had found is delivered after the new one began. */
  readonly tellsStale?: boolean;
}

/** The probe engine of one daemon: the production schedule and thresholds over what is really the case. */
export class SimEngine implements ProbeEngine {
  readonly backend = 'portable';
  readonly #options: SimEngineOptions;
  readonly #ports: TargetPorts;
  readonly #targets = new Map<number, SimTarget>();
  readonly #byVm = new Map<string, Set<SimTarget>>();
  readonly #saved = new Map<bigint, SavedThresholds>();
  readonly #stats = new Stats();
  #batch: EngineEvent[] = [];
  #wake: () => void = () => {};
  readonly #gone = new Set<string>();
  #next = 1;

  constructor(options: SimEngineOptions) {
    this.#options = options;
    const { host, maySleep } = options;
    this.#ports = {
      timeline: host.world.timeline,
      wallMs: () => host.wallMs(),
      blindAfter: BLIND_AFTER,
      maySleep,
      emit: (target, change, durationMs) => this.#emit(target, change, durationMs),
      ended: ({ target }, { outcome, durationMs }) => {
        this.#stats.started(0);
        this.#stats.finished(target.check.kind, outcome, durationMs);
      },
    };
  }

  /** What the probes of a VM look at has changed. */
  touch(vm: string): void {
    for (const target of this.#byVm.get(vm) ?? []) target.touch();
  }

  touchAll(): void {
    for (const target of this.#targets.values()) target.touch();
  }

  /** The VMM that is watched has ended. */
  processEnded(vm: string): void {
    for (const target of this.#byVm.get(vm) ?? [])
      if (target.target.check.kind === 'vmmProcess') target.processEnded();
  }

  add(targets: readonly Target[]): Uint32Array {
    return Uint32Array.from(targets, (target) => this.#add(target));
  }

  #add(target: Target): number {
    const vm = vmOf(target.id);
    const key = hashOf(target.id);
    const handle = this.#next++;
    const sees = () => this.#see(vm, target, key);
    const hash = idHash(target.id);
    const added = new SimTarget(handle, hash, target, sees, this.#ports);
    this.#targets.set(handle, added);
    const mates = this.#byVm.get(vm) ?? new Set();
    this.#byVm.set(vm, mates.add(added));
    const saved = this.#saved.get(hash);
    if (saved) added.apply(saved);
    if (this.#gone.delete(target.id) && this.#options.tellsStale === true) this.#tellStale(added);
    return handle;
  }

  /** The end of the former process, told of the present one. */
  #tellStale(target: SimTarget): void {
    const { timeline, wallMs } = this.#ports;
    timeline.after(STALE_MS, () => {
      const atMs = wallMs();
      const change = { from: 'ok', to: 'failed', reason: 'process-gone', atMs, streakStartMs: atMs } as const;
      this.#emit(target, { ...change, count: 1, lastOkMs: 0 }, 0);
    });
  }

  #see(vm: string, target: Target, key: number): Seen {
    const { host, distort } = this.#options;
    const seen = see(host.expect(vm), target.check, target.timing.timeoutMs, key);
    return distort === undefined ? seen : { ...seen, outcome: distort(seen.outcome) };
  }

  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void {
    for (const { handle, timing } of changes) this.#expect(handle).update(timing);
  }

  remove(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) {
      const target = this.#expect(handle);
      target.remove();
      if (target.thresholds.reason === 'process-gone') this.#gone.add(target.target.id);
      this.#targets.delete(handle);
      this.#byVm.get(vmOf(target.target.id))?.delete(target);
    }
  }

  suspend(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) this.#expect(handle).suspend();
  }

  resume(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) this.#expect(handle).resume();
  }

  newInstance(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) {
      const target = this.#expect(handle);
      // What was found and not yet told belongs to the former instance.
      this.#batch = this.#batch.filter((e) => e.handle !== handle);
      target.newInstance();
    }
  }

  async probeNow(handle: number, options: { readonly timeoutMs?: number }): Promise<ProbeResult> {
    const target = this.#expect(handle);
    const seen = target.see();
    const durationMs = Math.min(seen.durationMs, options.timeoutMs ?? target.timing.timeoutMs);
    await this.#options.life.later(durationMs);
    return { outcome: seen.outcome, durationMs, warnings: [], details: {} };
  }

  probeOnce(): Promise<ProbeResult> {
    return Promise.reject(unsupported('a probe without a target'));
  }

  report(): boolean {
    return false;
  }

  status(handle: number): TargetStatus {
    const { epoch, thresholds, suspended } = this.#expect(handle);
    const { state, consecutiveOk, consecutiveFailed, consecutiveInconclusive, lastAtMs, lastOkMs } =
      thresholds;
    const counts = { consecutiveOk, consecutiveFailed, consecutiveInconclusive };
    return { epoch, state, suspended, ...counts, lastAtMs, lastOkMs, lastDurationMs: 0 };
  }

  /** Of the probes that were run one by one. */
  stats(): EngineStats {
    return this.#stats.read({ targets: this.#targets.size, inFlight: 0, coalesced: 0 });
  }

  /** A name of what the host's memory holds: writing it out would cost more than everything else. */
  async snapshot(): Promise<Uint8Array> {
    const { host } = this.#options;
    const frozen = Array.from(this.#targets.values(), (target) => target.frozen());
    return Buffer.from(host.snapshots.keep(frozen));
  }

  restore(snapshot: Uint8Array): void {
    const { host } = this.#options;
    for (const [hash, saved] of host.snapshots.find(Buffer.from(snapshot).toString()))
      this.#saved.set(hash, saved);
    for (const target of this.#targets.values()) {
      const saved = this.#saved.get(idHash(target.target.id));
      if (saved) target.apply(saved);
    }
  }

  openChannel(): Channel {
    throw unsupported('a channel of its own');
  }

  async *transitions(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<readonly EngineEvent[]> {
    options.signal?.addEventListener('abort', () => this.#wake(), { once: true });
    while (options.signal?.aborted !== true) {
      const batch = this.#batch;
      this.#batch = [];
      if (batch.length > 0) yield batch;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  ref(): void {}
  unref(): void {}

  async close(): Promise<void> {
    for (const target of this.#targets.values()) target.remove();
    this.#targets.clear();
    this.#byVm.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #emit(target: SimTarget, change: Change, durationMs: number): void {
    const { handle, epoch } = target;
    this.#batch.push({ type: 'transition', handle, epoch, ...change, durationMs, coalesced: 0 });
    this.#ports.timeline.stir();
    this.#wake();
  }

  #expect(handle: number): SimTarget {
    const target = this.#targets.get(handle);
    if (!target) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `no target has the handle ${handle}`);
    return target;
  }
}

function unsupported(what: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `the simulator has no ${what}`);
}

/** A target is named `namespace/vm/probe`. */
function vmOf(target: string): string {
  return target.slice(0, target.lastIndexOf('/'));
}
