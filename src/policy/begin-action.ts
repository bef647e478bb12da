import type { LadderStep, RecoveryAction } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import { charge, nextActionId } from './budget.js';
import { escalate, type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { changesBack, noteEdit, whyGivenIn } from './edit-war.js';
import { attemptsOf, bootsGuest } from './ladder.js';
import type { PolicyVmState } from './vm-state.js';

/** Begins the action: it is charged, takes its slot of the host, and is told. */
export function beginAction(
  ctx: StepContext,
  vm: PolicyVmState,
  step: LadderStep,
  diagnosis: Diagnosis,
  charged: boolean,
): void {
  const { spec } = vm;
  if (!spec) return;
  const id = nextActionId(vm, charged ? (vm.episode?.startedAtMs ?? ctx.now) : ctx.now);
  vm.seq += 1;
  const { stepTimeoutMs, gracefulStopMs } = spec.recovery;
  // A guest that lives and is only cut off is shut down in order.
  const inOrder = step === 'reboot' || diagnosis.cause === 'link-lost';
  const timeoutMs = inOrder ? Math.max(stepTimeoutMs, gracefulStopMs) : stepTimeoutMs;
  const action: RecoveryAction = {
    id,
    vm: vm.id,
    step,
    attempt: attemptsOf(vm, step) + 1,
    diagnosis,
    timeoutMs,
  };
  vm.action = {
    action,
    startedAtMs: ctx.now,
    charged,
    unresolved: false,
    sawInstance: false,
    sawAttach: false,
    sawExit: false,
    overdueTold: false,
  };
  if (changesBack(step)) edited(ctx, vm, step);
  vm.budget.tries += 1;
  vm.budget.judged = false;
  if (charged) {
    charge(vm, ctx.now);
    noteAttempt(vm, action, ctx.now);
  }
  if (bootsGuest(step)) ctx.state.host.boots.push(ctx.now);
  // The slot is the action's from here on.
  vm.reserved = false;
  vm.told.hold = '';
  vm.actionHeld = null;
  ctx.effects.push({ type: 'recover', action });
  say(ctx, {
    vm,
    kind: 'act',
    rule: charged ? 'ladder' : diagnosis.cause === 'scheduled' ? 'scheduled' : 'start-up',
    text: `${step} (attempt ${action.attempt}) for ${diagnosis.kind} (${diagnosis.cause})`,
    actionId: id,
    data: { step, attempt: action.attempt, timeoutMs },
  });
}

/** Somebody may set again and again what we change back: automation gives in, and people are told once. */
function edited(ctx: StepContext, vm: PolicyVmState, step: LadderStep): void {
  if (noteEdit(vm.war, ctx.now) !== 'paused') return;
  const text = `${vm.id}: ${whyGivenIn(vm.war, step)}; after this one it is left as others want it`;
  // Once a war, also where the failure is still the same.
  escalate(ctx, vm, 'edit-war', text, `edit-war/${ctx.now}`);
}

function noteAttempt(vm: PolicyVmState, action: RecoveryAction, now: number): void {
  const attempts = vm.episode?.attempts ?? [];
  const { id: actionId, step, diagnosis } = action;
  attempts.push({ actionId, step, cause: diagnosis.cause, startedAtMs: now, endedAtMs: null, result: null });
  if (attempts.length > LIMITS.attemptsKept) attempts.shift();
}
