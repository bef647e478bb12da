import { VmpulseError } from '../../model/errors.js';
import type { Outcome } from '../../model/outcome.js';
import type { ProbeTiming } from '../../model/probe.js';
import type { Batch, EngineBackend } from '../backend.js';
import type {
  ChannelOptions,
  EngineOptions,
  EngineStats,
  Target,
  TargetCheck,
  TargetStatus,
} from '../probe-engine.js';
import type { SavedThresholds } from '../thresholds.js';
import { Admission } from './admission.js';
import { argumentError, checkCount, checkMs, checkReactor } from './argument.js';
import { Channels } from './channel/channels.js';
import { type Check, CheckCompiler } from './check.js';
import { LoopWatch } from './loop-watch.js';
import { Outbox } from './outbox.js';
import type { Probe } from './probe.js';
import { Runner } from './runner.js';
import { Schedule } from './schedule.js';
import { decodeSnapshot, encodeSnapshot, type Saved } from './snapshot.js';
import { Stats } from './stats.js';
import { checkTarget } from './target.js';
import { Timers } from './timers.js';
import { checkTiming } from './timing.js';
import { USER_AGENT } from './user-agent.js';
import { probeResult } from './verdict.js';

const MOST = 1_000_000;

/**
 * The engine in TypeScript, on this thread: for hosts where the addon cannot be loaded, and to check the other one
 * against. Beside what they cost, the two differ in what docs/internals/engine/portable.md lists.
 */
export class PortableBackend implements EngineBackend {
  readonly backend = 'portable';
  readonly #timers: Timers;
  readonly #admission: Admission;
  readonly #stats = new Stats();
  readonly #loop: LoopWatch;
  readonly #outbox: Outbox;
  readonly #channels: Channels;
  readonly #runner: Runner;
  readonly #schedule: Schedule;
  readonly #checks: CheckCompiler;
  /** Calls for probes, by number. */
  readonly #calls = new Map<number, Probe>();
  /** What a snapshot said of targets that are not registered yet. */
  #saved: Saved = new Map();
  #closed = false;

  /** `signal`: there is news to collect. Throws ERR_VMPULSE_ARGUMENT for options out of range. */
  constructor(options: EngineOptions, signal: () => void) {
    const tickMs = checkMs('tickMs', options.tickMs ?? 2, 1);
    if (tickMs > 1000) throw argumentError('tickMs is more than 1000');
    const lateMs = checkMs('lateMs', options.lateMs ?? 250, 10);
    checkCount('threads', options.threads ?? 1, 64);
    this.#timers = new Timers(tickMs);
    checkReactor(options.reactor);
    this.#admission = new Admission(
      checkCount('maxInFlight', options.maxInFlight ?? 4096, MOST),
      checkCount('maxInFlightPerDestination', options.maxInFlightPerDestination ?? 64, MOST),
    );
    this.#outbox = new Outbox(signal);
    this.#channels = new Channels(this.#timers, this.#outbox);
    this.#checks = new CheckCompiler(USER_AGENT);
    this.#loop = new LoopWatch(lateMs);
    this.#runner = new Runner({
      timers: this.#timers,
      admission: this.#admission,
      stats: this.#stats,
      loop: this.#loop,
      lateMs,
      channel: (handle) => this.#channels.get(handle),
    });
    this.#schedule = new Schedule({
      timers: this.#timers,
      runner: this.#runner,
      outbox: this.#outbox,
      blindAfter: checkCount('blindAfter', options.blindAfter ?? 3, MOST),
    });
  }

  add(targets: readonly Target[]): Uint32Array {
    const checked = targets.map((target, index) => {
      try {
        const one = checkTarget(target, this.#checks);
        this.#expectChannel(one.check);
        return one;
      } catch (error) {
        throw at(`targets[${index}] (${target.id})`, error);
      }
    });
    return Uint32Array.from(checked, (one) => {
      const saved = this.#saved.get(one.idHash);
      this.#saved.delete(one.idHash);
      return this.#schedule.add(one, saved);
    });
  }

  update(changes: readonly { readonly handle: number; readonly timing: ProbeTiming }[]): void {
    const checked = changes.map(({ handle, timing }, index) => {
      const target = this.#schedule.expect(handle);
      try {
        return { target, timing: checkTiming(timing) };
      } catch (error) {
        throw at(`changes[${index}]`, error);
      }
    });
    for (const { target, timing } of checked) this.#schedule.update(target, timing);
  }

  remove(handles: Uint32Array): void {
    for (const target of this.#expectAll(handles)) this.#schedule.remove(target);
  }

  suspend(handles: Uint32Array): void {
    for (const target of this.#expectAll(handles)) this.#schedule.suspend(target);
  }

  resume(handles: Uint32Array): void {
    for (const target of this.#expectAll(handles)) this.#schedule.resume(target);
  }

  newInstance(handles: Uint32Array): void {
    for (const target of this.#expectAll(handles)) this.#schedule.newInstance(target);
  }

  report(handle: number, epoch: number, outcome: Outcome, durationMs: number): boolean {
    return this.#schedule.report(handle, epoch, outcome, checkMs('durationMs', durationMs, 0));
  }

  probeNow(call: number, handle: number, timeoutMs: number | undefined): void {
    const { check, timing } = this.#schedule.expect(handle);
    this.#probe(call, check, timeoutMs ?? timing.timeoutMs, false);
  }

  probeOnce(call: number, check: TargetCheck, timeoutMs: number, debug: boolean): void {
    let compiled: Check;
    try {
      compiled = this.#checks.compile(check);
      this.#expectChannel(compiled);
    } catch (error) {
      throw at('check', error);
    }
    this.#probe(call, compiled, timeoutMs, debug);
  }

  cancel(call: number): void {
    this.#calls.get(call)?.cancel();
    this.#calls.delete(call);
    this.#channels.cancel(call);
  }

  openChannel(options: ChannelOptions): number {
    return this.#channels.open(options);
  }

  closeChannel(channel: number): void {
    this.#channels.close(channel);
  }

  request(
    call: number,
    channel: number,
    command: string,
    args: string | undefined,
    deadlineMs: number,
  ): void {
    this.#channels.request(call, channel, command, args, deadlineMs);
  }

  status(handle: number): TargetStatus {
    return this.#schedule.expect(handle).status();
  }

  stats(): EngineStats {
    return this.#stats.read({
      targets: this.#schedule.size,
      inFlight: this.#runner.inFlight,
      coalesced: this.#outbox.coalesced,
    });
  }

  snapshot(call: number): void {
    void encodeSnapshot(this.#thresholds()).then((snapshot) => this.#outbox.complete({ call, snapshot }));
  }

  restore(snapshot: Uint8Array): void {
    const saved = decodeSnapshot(snapshot);
    for (const target of this.#schedule) {
      const thresholds = saved.get(target.idHash);
      if (thresholds !== undefined) this.#schedule.applySaved(target, thresholds);
      saved.delete(target.idHash);
    }
    this.#saved = saved;
  }

  collect(withEvents: boolean): Batch {
    return { ...this.#outbox.collect(withEvents), stopped: this.#closed };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#schedule.close();
    this.#runner.stopAll();
    this.#calls.clear();
    this.#channels.closeAll();
    this.#admission.close();
    this.#timers.clear();
    this.#outbox.news();
  }

  dispose(): void {
    this.#outbox.close();
  }

  #probe(call: number, check: Check, timeoutMs: number, debug: boolean): void {
    checkMs('timeoutMs', timeoutMs, 1);
    if (check.kind === 'external') {
      const message = 'an external target is probed by whoever reports for it; ask there';
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', message);
    }
    const probe = this.#runner.submit({
      check,
      timeoutMs,
      debug,
      first: true,
      ended: (verdict, durationMs) => {
        this.#calls.delete(call);
        this.#stats.finished(check.kind, verdict.outcome, durationMs);
        this.#outbox.complete({ call, result: probeResult(verdict, durationMs) });
      },
    });
    this.#calls.set(call, probe);
  }

  /** As they are when they are taken, which may be some turns later. */
  *#thresholds(): Iterable<readonly [idHash: bigint, SavedThresholds]> {
    // What waits for its target must survive a second restart; whose target comes meanwhile is below, where the later counts.
    yield* this.#saved;
    for (const { idHash, thresholds } of this.#schedule) yield [idHash, thresholds.save()];
  }

  #expectAll(handles: Uint32Array) {
    return [...handles].map((handle) => this.#schedule.expect(handle));
  }

  #expectChannel(check: Check): void {
    if ('channel' in check) this.#channels.expect(check.channel);
  }
}

/** The error, with the place it was found at. */
function at(place: string, error: unknown): unknown {
  return error instanceof VmpulseError && error.code === 'ERR_VMPULSE_ARGUMENT'
    ? argumentError(`${place}: ${error.message}`)
    : error;
}
