import type { ProbeState } from '../model/outcome.js';
import type { Reason } from '../model/reasons.js';
import type { PolicyProbe } from './types.js';
/** A probe as the policy knows it in the present instance of the VM. */
export interface ProbeRecord {
  spec: PolicyProbe;
  /** What the engine said last in this instance; the start state before. */
  state: ProbeState;
  /** Something was said in this instance; false: `state` is only the start state. */
  seen: boolean;
  reason: Reason | null;
  /** Last change of state, 0: none in this instance. */
  sinceMs: number;
  streakStartMs: number;
  lastOkMs: number;
  count: number;
  /** A liveness probe that failed holds until a new instance or until a ladder step completes. */
  latched: boolean;
  /** Known from a former daemon, or of a former check, only; the engine has not said it of this one. */
  assumed: boolean;
}

export function newProbeRecord(spec: PolicyProbe): ProbeRecord {
  return {
    spec,
    state: spec.startState,
    seen: false,
    reason: null,
    sinceMs: 0,
    streakStartMs: 0,
    lastOkMs: 0,
    count: 0,
    latched: false,
    assumed: false,
  };
}
