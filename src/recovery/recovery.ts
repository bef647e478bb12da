import type { ActionResult, RecoveryAction } from '../model/action.js';
import type { Clock } from '../model/clock.js';
import { Deadline } from '../model/deadline.js';
import { type ErrorCode, errorMessage, VmpulseError } from '../model/errors.js';
import type { CapturedEvidence, Driver, NetworkPort, VmmSession } from '../model/ports.js';
import type { VmSpec } from '../model/vm.js';
import { captureEvidence } from './evidence.js';

const PROOF_MS = 10_000;

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
  /** An invariant does not hold: nothing more is done, and all recovery is to hold. */
  readonly onViolation: (what: string) => void;
}

/** One step of the ladder. */
export interface Recovery {
  /** Never rejects: what goes wrong is a result. Ends within `action.timeoutMs`. */
  run(action: RecoveryAction, context: RecoveryContext): Promise<ActionResult>;
}

/** A recovery under way: its context with the one deadline of all its steps. A VMM is ended by `endVmm` alone. */
export interface Attempt extends Omit<RecoveryContext, 'session' | 'onViolation'> {
  readonly action: RecoveryAction;
  readonly deadline: Deadline;
  readonly session?: Omit<VmmSession, 'stop'>;
  /** Throws where the VM could not be started. */
  readonly proveStart: () => Promise<void>;
  /** Ends the VMM if there is one, within `withinMs` or what is left; refused unless this attempt has proven a start. */
  readonly endVmm: (how: 'graceful' | 'force', withinMs?: number) => Promise<void>;
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
      const attempt: Attempt = { ...context, ...endingOf(context, deadline), action, deadline };
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

/** The end of a VMM, and the proof that goes before it. */
function endingOf(
  { vm, driver, session, onViolation }: RecoveryContext,
  deadline: Deadline,
): Pick<Attempt, 'proveStart' | 'endVmm'> {
  let isProven = false;
  return {
    async proveStart() {
      await driver.proveStart(vm, deadline.step(PROOF_MS));
      isProven = true;
    },
    async endVmm(how, withinMs) {
      if (isProven) return session?.stop(how, deadline.step(withinMs));
      const text = `the VMM of ${vm.id} was to be ended before it was proven that it can be started`;
      onViolation(text);
      throw new VmpulseError('ERR_VMPULSE_INTERNAL', text);
    },
  };
}

/** The session, or ERR_VMPULSE_VM_NOT_RUNNING. */
export function requireSession({ session, vm }: Attempt): Omit<VmmSession, 'stop'> {
  if (session !== undefined) return session;
  throw new VmpulseError('ERR_VMPULSE_VM_NOT_RUNNING', `${vm.id} has no VMM that vmpulse is attached to`);
}

function notDone(result: 'impossible' | 'failed', error: unknown): ActionResult {
  const code = error instanceof VmpulseError ? error.code : 'ERR_VMPULSE_INTERNAL';
  return { result, code, message: errorMessage(error) };
}
