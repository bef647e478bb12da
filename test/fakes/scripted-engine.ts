import type {
  Channel,
  EngineEvent,
  EngineStats,
  ProbeEngine,
  Target,
  TargetStatus,
} from '../../src/engine/probe-engine.js';
import { VmpulseError } from '../../src/model/errors.js';
import type { Outcome, ProbeResult, ProbeState } from '../../src/model/outcome.js';
import type { ProbeTiming } from '../../src/model/probe.js';
import type { Reason } from '../../src/model/reasons.js';

interface Registered {
  readonly target: Target;
  timing: ProbeTiming;
  epoch: number;
  suspended: boolean;
  state: ProbeState;
}

/** An engine whose outcomes a test decides. It keeps handles, epochs and states; it probes nothing. */
export class ScriptedEngine implements ProbeEngine {
  readonly backend = 'native';
  readonly #nowMs: () => number;
  readonly #targets = new Map<number, Registered>();
  readonly #batches: EngineEvent[][] = [];
  /** What a fresh probe of a target says, by target id; ok unless set. */
  readonly answers = new Map<string, Outcome>();
  /** What a fresh probe of a target has measured, by target id. */
  readonly details = new Map<string, ProbeResult['details']>();
  /** Targets of which a fresh probe was asked for. */
  readonly asked: string[] = [];
  /** Kinds that it lacks. */
  readonly lacks = new Set<string>();
  readonly reports: { readonly id: string; readonly outcome: Outcome }[] = [];
  #next = 1;
  #wake: () => void = () => {};
  #closed = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  ids(): string[] {
    return [...this.#targets.values()].map(({ target }) => target.id);
  }

  isSuspended(id: string): boolean {
    return this.#find(id)[1].suspended;
  }

  stateOf(id: string): ProbeState {
    return this.#find(id)[1].state;
  }

  timingOf(id: string): ProbeTiming {
    return this.#find(id)[1].timing;
  }

  epochOf(id: string): number {
    return this.#find(id)[1].epoch;
  }

  /** The thresholds of a target have changed its state. */
  transition(id: string, to: ProbeState, reason?: Reason): void {
    const [handle, registered] = this.#find(id);
    const from = registered.state;
    registered.state = to;
    const atMs = this.#nowMs();
    this.#batches.push([
      {
        type: 'transition',
        handle,
        epoch: registered.epoch,
        from,
        to,
        ...(reason === undefined ? {} : { reason }),
        atMs,
        streakStartMs: atMs - 1000,
        count: 3,
        lastOkMs: atMs - 2000,
        durationMs: 1,
        coalesced: 0,
      },
    ]);
    this.#wake();
  }

  add(targets: readonly Target[]): Uint32Array {
    for (const { check } of targets) {
      if (this.lacks.has(check.kind))
        throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `there is no ${check.kind} here`);
    }
    return Uint32Array.from(targets, (target) => {
      const handle = this.#next++;
      this.#targets.set(handle, {
        target,
        timing: target.timing,
        epoch: 1,
        suspended: false,
        state: target.startState,
      });
      return handle;
    });
  }

  update(changes: Parameters<ProbeEngine['update']>[0]): void {
    for (const { handle, timing } of changes) this.#get(handle).timing = timing;
  }

  remove(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) this.#targets.delete(handle);
  }

  suspend(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) this.#get(handle).suspended = true;
  }

  resume(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) this.#get(handle).suspended = false;
  }

  newInstance(handles: ArrayLike<number>): void {
    for (const handle of Array.from(handles)) {
      const registered = this.#get(handle);
      registered.epoch++;
      registered.state = registered.target.startState;
    }
  }

  async probeNow(handle: number): Promise<ProbeResult> {
    const { id } = this.#get(handle).target;
    this.asked.push(id);
    const outcome = this.answers.get(id) ?? { result: 'ok' };
    return { outcome, durationMs: 1, warnings: [], details: this.details.get(id) ?? {} };
  }

  probeOnce(): Promise<ProbeResult> {
    throw new Error('the scripted engine probes nothing');
  }

  report(handle: number, _epoch: number, outcome: Outcome): boolean {
    this.reports.push({ id: this.#get(handle).target.id, outcome });
    return true;
  }

  /** The schedule says that an external target must be probed. */
  due(id: string): void {
    const [handle, { epoch }] = this.#find(id);
    this.#batches.push([{ type: 'due', handle, epoch, deadlineMs: this.#nowMs() + 1000 }]);
    this.#wake();
  }

  status(handle: number): TargetStatus {
    const { epoch, state, suspended } = this.#get(handle);
    return {
      epoch,
      state,
      suspended,
      consecutiveOk: 0,
      consecutiveFailed: 0,
      consecutiveInconclusive: 0,
      lastAtMs: 0,
      lastDurationMs: 0,
      lastOkMs: 0,
    };
  }

  stats(): EngineStats {
    return {
      targets: this.#targets.size,
      inFlight: 0,
      probesStarted: 0,
      outcomes: [],
      durations: [],
      latenessMs: { p50: 0, p99: 0, max: 0 },
      coalesced: 0,
      reactorPanics: 0,
      reactorsDown: 0,
      backend: 'native',
      reactor: 'epoll',
    };
  }

  async snapshot(): Promise<Uint8Array> {
    return new Uint8Array();
  }

  restore(): void {}

  openChannel(): Channel {
    throw new Error('the scripted engine has no channels');
  }

  async *transitions(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterableIterator<readonly EngineEvent[]> {
    options.signal?.addEventListener('abort', () => this.#wake());
    while (!this.#closed && options.signal?.aborted !== true) {
      const batch = this.#batches.shift();
      if (batch) yield batch;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  ref(): void {}
  unref(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #get(handle: number): Registered {
    const registered = this.#targets.get(handle);
    if (!registered) throw new Error(`no target with handle ${handle}`);
    return registered;
  }

  #find(id: string): [number, Registered] {
    const found = [...this.#targets].find(([, { target }]) => target.id === id);
    if (!found) throw new Error(`no target ${id}; there are ${this.ids().join(', ')}`);
    return found;
  }
}
