import type { ActionResult, RecoveryAction } from '../model/action.js';
import type { Clock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { type ErrorCode, errorMessage, VmpulseError } from '../model/errors.js';
import type { CapturedEvidence, Driver, NetworkPort, VmmSession } from '../model/ports.js';
import type { VmSpec } from '../model/vm.js';
import { captureEvidence } from './evidence.js';

/** What a recovery may use. The runtime gives it; nothing here is owned by the recovery. */
export interface RecoveryContext {
  readonly vm: VmSpec;
  readonly driver: Driver;
  /** Unset: no VMM runs, or none could be attached to. */
  readonly session?: VmmSession;
  /** Keeps the host's side of its network; unset: nobody does. */
  readonly network?: NetworkPort;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes what was captured before a guest is ended, to be journalled. */
  readonly save: (evidence: CapturedEvidence) => void;
}

/** One step of the ladder. */
export interface Recovery {
  /** Never rejects: what goes wrong is a result. Ends within `action.timeoutMs`. */
  run(action: RecoveryAction, context: RecoveryContext): Promise<ActionResult>;
}

/** A recovery under way: its context with the one deadline of all its steps. */
export interface Attempt extends RecoveryContext {
  readonly action: RecoveryAction;
  readonly deadline: Deadline;
}

export interface RecoverySteps {
  /** The guest ends or loses its memory: evidence is saved first. */
  readonly endsGuest: boolean;
  /** Throws where acting would be wrong or cannot work. Changes nothing. */
  prove(attempt: Attempt): Promise<void>;
  act(attempt: Attempt): Promise<void>;
  /** Errors of `act` that say that nothing was done. */
  readonly untried?: readonly ErrorCode[];
}

/** The order of every recovery: prove that it can be done, save the evidence, act. */
export function defineRecovery(steps: RecoverySteps): Recovery {
  return {
    async run(action, context) {
      const options = { deadlineMs: action.timeoutMs, signal: context.signal };
      const deadline = new Deadline(`${action.step} of ${action.vm}`, options, context.clock);
      const attempt: Attempt = { ...context, action, deadline };
      try {
        await deadline.race(steps.prove(attempt));
      } catch (error) {
        return notDone('impossible', error);
      }
      try {
        if (steps.endsGuest) await captureEvidence(attempt);
        deadline.check();
        await deadline.race(steps.act(attempt));
        return { result: 'done' };
      } catch (error) {
        const untried = error instanceof VmpulseError && steps.untried?.includes(error.code);
        return notDone(untried ? 'impossible' : 'failed', error);
      }
    },
  };
}

/** The session, or ERR_VMPULSE_VM_NOT_RUNNING. */
export function requireSession({ session, vm }: RecoveryContext): VmmSession {
  if (session !== undefined) return session;
  throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${vm.id} has no VMM that vmpulse is attached to`);
}

function notDone(result: 'impossible' | 'failed', error: unknown): ActionResult {
  const code = error instanceof VmpulseError ? error.code : 'ERR_VMPULSE_INTERNAL';
  return { result, code, message: errorMessage(error) };
}
