import { type ActionResult, NEW_VMM_STEPS, type RecoveryAction } from '../model/action.js';
import { backoffMs, countFailure, nextActionId, refund } from './budget.js';
import { type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { endedUnseen } from './exits.js';
import { freeSlot } from './host.js';
import { beginInstance, forget, releaseLatches } from './instance.js';
import { bootsGuest, graceAfter } from './ladder.js';
import { bounded, span } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** The action in flight. */
export interface ActionRecord {
  action: RecoveryAction;
  startedAtMs: number;
  /** False for the start of a VM that simply was not running yet. */
  charged: boolean;
  /** A daemon died with it in flight; looking tells what became of it. */
  unresolved: boolean;
  /** The guest began a new boot since the action began. */
  sawInstance: boolean;
  sawAttach: boolean;
  /** The VMM ended during the action, after the last attachment. */
  sawExit: boolean;
  overdueTold: boolean;
}

/** The action in flight, if it is this one. */
function inFlight(ctx: StepContext, vm: PolicyVmState, actionId: string): ActionRecord | null {
  if (vm.action?.action.id === actionId) return vm.action;
  const text = `the end of an action that is not in flight was ignored: ${bounded(actionId)}`;
  say(ctx, { vm, kind: 'note', rule: 'action-unknown', text });
  return null;
}

/** An action ended: what it did to the guest, and what that leaves of its budget. */
export function noteActionEnded(
  ctx: StepContext,
  vm: PolicyVmState,
  actionId: string,
  result: ActionResult,
): void {
  const record = inFlight(ctx, vm, actionId);
  if (!record) return;
  vm.action = null;
  freeSlot(ctx.state, vm);
  vm.budget.lastEndedAtMs = ctx.now;
  if (record.action.diagnosis.cause === 'scheduled') vm.scheduled = null;
  const attempt = vm.episode?.attempts.find((a) => a.actionId === actionId);
  if (attempt) {
    attempt.endedAtMs = ctx.now;
    attempt.result = boundedResult(result);
  }
  if (result.result === 'done') effective(ctx, vm, record);
  else if (result.result === 'failed') countFailure(vm, ctx.now);
  else notCarriedOut(ctx, vm, record);
  // Somebody else was faster: that says nothing of the next start.
  const isStarted = record.action.step === 'start' && vm.running === true;
  if (result.result === 'impossible' && !isStarted) {
    vm.impossible[record.action.step] = ctx.now + impossibleForMs(vm, record.action);
  }
  if (!record.charged && result.result !== 'done') {
    // From here on the VM that could not be brought up is a failure like any other.
    vm.startupPending = false;
    if (vm.running === false) {
      vm.ended ??= endedUnseen(ctx.now, 'clean', 'it could not be brought up at start-up');
    }
  }
  const took = span(ctx.now - record.startedAtMs);
  say(ctx, {
    vm,
    kind: 'result',
    rule: 'action-result',
    text: `${record.action.step} ${result.result} after ${took}${result.result === 'done' ? '' : `: ${bounded(result.message)}`}`,
    actionId,
    data: {
      step: record.action.step,
      result: result.result,
      code: result.result === 'done' ? null : result.code,
    },
  });
}

function boundedResult(result: ActionResult): ActionResult {
  return result.result === 'done' ? result : { ...result, message: bounded(result.message) };
}

/**
 * How long a step that could not be carried out is left alone. What keeps a VM down (another process has its disk open,
 * memory is short) may be over any moment, and to look again does nothing to anybody: soon at first, then ever later.
 */
function impossibleForMs(vm: PolicyVmState, { id, step }: RecoveryAction): number {
  const backoff = vm.spec?.recovery.backoff;
  if (backoff === undefined) return 0;
  if (!NEW_VMM_STEPS.has(step)) return backoff.capMs;
  const attempts = vm.episode?.attempts ?? [];
  const times = attempts.filter((a) => a.step === step && a.result?.result === 'impossible').length;
  return backoffMs(backoff, Math.max(1, times), id);
}

/** The step did what it should; whether it helped is for the probes to say. */
function effective(ctx: StepContext, vm: PolicyVmState, record: ActionRecord): void {
  const { step } = record.action;
  const graceMs = graceAfter(vm, step);
  vm.startupPending = false;
  if (NEW_VMM_STEPS.has(step)) vm.everRan = true;
  // A VMM that is new and was not seen is not there; one that ended again since is not either.
  const gone = vm.running === false;
  if (gone) {
    vm.ended ??= endedUnseen(ctx.now, record.charged ? 'ours' : 'clean', `after ${step} no VMM was found`);
    return;
  }
  releaseLatches(vm);
  if (bootsGuest(step) && !record.sawInstance) {
    const newVmm = NEW_VMM_STEPS.has(step);
    beginInstance(ctx, vm, ctx.now, { graceMs, tellEngine: true, newVmm });
    return;
  }
  forget(vm);
  const conclusive = vm.facts.panickedAtMs !== null || vm.facts.watchdogAtMs !== null;
  if (!conclusive) vm.graceUntilMs = ctx.now + graceMs;
}

/** Nothing was done to the guest: neither its budget nor the back-off counts it. */
function notCarriedOut(ctx: StepContext, vm: PolicyVmState, record: ActionRecord): void {
  if (record.charged) refund(vm, record.startedAtMs);
  vm.budget.tries = Math.max(0, vm.budget.tries - 1);
  vm.budget.judged = true;
  if (!bootsGuest(record.action.step)) return;
  const { boots } = ctx.state.host;
  const at = boots.lastIndexOf(record.startedAtMs);
  if (at >= 0) boots.splice(at, 1);
}

/** Something outside the policy held the action before it began. */
export function noteActionHeld(
  ctx: StepContext,
  vm: PolicyVmState,
  event: {
    readonly actionId: string;
    readonly rule: 'action-held' | 'pre-start';
    readonly reason: string;
    readonly retryAtMs: number;
  },
): void {
  const record = inFlight(ctx, vm, event.actionId);
  if (!record) return;
  vm.action = null;
  freeSlot(ctx.state, vm);
  const { tries } = vm.budget;
  notCarriedOut(ctx, vm, record);
  // It counts for the distance to the next attempt, and for nothing else.
  if (event.rule === 'pre-start') vm.budget.tries = tries;
  if (vm.episode) vm.episode.attempts = vm.episode.attempts.filter((a) => a.actionId !== event.actionId);
  const soonestMs = ctx.now + LIMITS.heldRetryMs;
  const retryAtMs = event.rule === 'pre-start' ? ctx.now + distanceMs(vm, ctx.now) : event.retryAtMs;
  const untilMs = Math.min(Math.max(retryAtMs, soonestMs), ctx.now + LIMITS.dayMs);
  vm.actionHeld = { rule: event.rule, reason: bounded(event.reason), untilMs };
}

/** To the next attempt, by the back-off. */
function distanceMs(vm: PolicyVmState, now: number): number {
  const id = nextActionId(vm, vm.episode?.startedAtMs ?? now);
  return vm.spec ? backoffMs(vm.spec.recovery.backoff, vm.budget.tries, id) : 0;
}

/** A daemon died with the action in flight. What is there now tells what became of it; it is never just repeated. */
export function resolveByLooking(
  ctx: StepContext,
  vm: PolicyVmState,
  seen: { readonly running: boolean; readonly newVmm: boolean; readonly lostGuest: boolean },
): void {
  const record = vm.action;
  if (!record?.unresolved) return;
  record.unresolved = false;
  const { step, id } = record.action;
  const lost = !seen.running || seen.lostGuest || (NEW_VMM_STEPS.has(step) && !seen.newVmm);
  // A reset leaves no trace that could be looked at: it is taken as done, which gives the guest its grace.
  const result: ActionResult = lost
    ? {
        result: 'failed',
        code: 'interrupted',
        message: `the daemon ended during ${step}, which had no effect`,
      }
    : { result: 'done' };
  say(ctx, {
    vm,
    kind: 'note',
    rule: 'unresolved',
    text: `the daemon had ended during ${step}: ${lost ? 'it had no effect' : 'it is taken as done'}`,
    actionId: id,
  });
  noteActionEnded(ctx, vm, id, result);
}
