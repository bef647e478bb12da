import type { ProbeState } from '../../model/outcome.js';
import type { ProbeTiming } from '../../model/probe.js';
import type { Target, TargetStatus } from '../probe-engine.js';
import { Thresholds } from '../thresholds.js';
import { argumentError } from './argument.js';
import type { Check, CheckCompiler } from './check.js';
import type { Probe } from './probe.js';
import type { StreamKeeper } from './runner.js';
import { discard } from './stream/dial.js';
import type { Stream } from './stream/stream.js';
import type { Timer } from './timers.js';
import { checkTiming, idHash, Phase } from './timing.js';

const MAX_ID_BYTES = 512;
const START_STATES: readonly string[] = ['unknown', 'ok', 'failed', 'blind'];

/** A target that was checked and has no handle yet. */
export interface CheckedTarget {
  readonly idHash: bigint;
  readonly check: Check;
  readonly timing: ProbeTiming;
  readonly startState: ProbeState;
}

/** Throws ERR_VMPULSE_ARGUMENT naming the field. Keeps nothing of what was given. */
export function checkTarget({ id, check, timing, startState }: Target, checks: CheckCompiler): CheckedTarget {
  if (id.length === 0 || Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw argumentError(`id must have 1 to ${MAX_ID_BYTES} bytes`);
  }
  if (!START_STATES.includes(startState)) throw argumentError(`startState ${startState} is no state`);
  return { idHash: idHash(id), check: checks.compile(check), timing: checkTiming(timing), startState };
}

/** One registered target. */
export class RegisteredTarget implements StreamKeeper {
  readonly handle: number;
  readonly idHash: bigint;
  readonly check: Check;
  readonly phase: Phase;
  readonly startState: ProbeState;
  timing: ProbeTiming;
  thresholds: Thresholds;
  epoch = 1;
  suspended = false;
  /** Until its next start. */
  timer: Timer | undefined;
  /** Queued or running. */
  probe: Probe | undefined;
  /** Of the last or next start, monotonic. */
  scheduledMs = 0;
  lastDurationMs = 0;
  #kept: Stream | undefined;

  constructor(handle: number, checked: CheckedTarget) {
    this.handle = handle;
    this.idHash = checked.idHash;
    this.check = checked.check;
    this.timing = checked.timing;
    this.startState = checked.startState;
    this.phase = new Phase(checked.idHash);
    this.thresholds = new Thresholds(checked.startState);
  }

  take(): Stream | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept?.isSpoilt !== true) return kept;
    discard(kept.socket);
    return undefined;
  }

  put(stream: Stream): void {
    this.#kept = stream;
  }

  /** Closes the connection that is kept between probes. */
  dropStream(): void {
    if (this.#kept !== undefined) discard(this.#kept.socket);
    this.#kept = undefined;
  }

  status(): TargetStatus {
    const { thresholds, epoch, suspended, lastDurationMs } = this;
    const { state, reason, lastOutcome, lastAtMs, lastOkMs } = thresholds;
    return {
      epoch,
      state,
      suspended,
      ...(reason === undefined ? {} : { reason }),
      consecutiveOk: thresholds.consecutiveOk,
      consecutiveFailed: thresholds.consecutiveFailed,
      consecutiveInconclusive: thresholds.consecutiveInconclusive,
      ...(lastOutcome === undefined ? {} : { lastOutcome }),
      lastAtMs,
      lastDurationMs,
      lastOkMs,
    };
  }
}
