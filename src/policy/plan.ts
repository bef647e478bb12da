import type { LadderStep, RecoveryAction } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import { blockersOf } from './blockers.js';
import { charge, exhausted, nextActionId, rollingUsed } from './budget.js';
import { askWhatItMeans } from './confirm.js';
import { escalate, type StepContext, say, wakeAt } from './context.js';
import { LIMITS } from './defaults.js';
import { changesBack, noteEdit } from './edit-war.js';
import { close } from './episode.js';
import { canBootNow, enqueue } from './host.js';
import { attemptsOf, bootsGuest, ladderFor, nextStep } from './ladder.js';
import { idleBecause } from './mode.js';
import type { Rule } from './rules.js';
import { utc } from './text.js';
import type { Blocker, PolicyVmState, Verdict } from './vm-state.js';

/** Chooses the answer to a diagnosis, and carries it out unless a rule forbids it. */
export function pursue(ctx: StepContext, vm: PolicyVmState, verdict: Verdict): void {
  if (verdict.remedy === 'alert') {
    alert(ctx, vm, verdict);
    return;
  }
  if (verdict.remedy === 'wait') {
    waitForWedged(ctx, vm);
    return;
  }
  // People have to free space, whatever is done then.
  if (verdict.diagnosis.kind === 'storage') tellPeople(ctx, vm, verdict);
  const next = nextStep(vm, ladderFor(verdict.diagnosis), ctx.now);
  if (next.step === null) {
    nothingLeft(ctx, vm, verdict, next.retryAtMs);
    return;
  }
  const { step } = next;
  const idle = idleBecause(vm);
  if (idle) {
    would(ctx, vm, step, verdict.diagnosis, idle);
    return;
  }
  const blockers = blockersOf(ctx.state, vm, step, verdict, ctx.now);
  if (blockers.length > 0) {
    blocked(ctx, vm, step, blockers);
    return;
  }
  const spent = exhausted(vm, ctx.now);
  if (spent) {
    quarantine(ctx, vm, spent);
    return;
  }
  const stale = !verdict.conclusive && ctx.now - verdict.atMs > LIMITS.confirmFreshMs;
  // The slot is kept while a fresh look is under way, so that a long queue cannot make every look stale.
  if (stale && vm.reserved) {
    planned(vm, step, ctx.now, 'after a fresh look');
    askWhatItMeans(ctx, vm);
    return;
  }
  request(ctx, vm, step, verdict.diagnosis, true);
}

/** Brings up a VM that is wanted and was not running when first looked at: not a failure, so no budget is charged. */
export function startUp(ctx: StepContext, vm: PolicyVmState, diagnosis: Diagnosis): void {
  if (!vm.spec?.steps.includes('start')) {
    const text = 'its driver does not know how it is started: start it the way it was started before';
    holdOnce(ctx, vm, { rule: 'ladder-exhausted', text, untilMs: null });
    return;
  }
  const idle = idleBecause(vm);
  if (idle) {
    would(ctx, vm, 'start', diagnosis, idle);
    return;
  }
  const blockers = blockersOf(ctx.state, vm, 'start', null, ctx.now);
  if (blockers.length > 0) {
    blocked(ctx, vm, 'start', blockers);
    return;
  }
  request(ctx, vm, 'start', diagnosis, false);
}

/** Takes a slot of the host, or a place in its queue. */
export function request(
  ctx: StepContext,
  vm: PolicyVmState,
  step: LadderStep,
  diagnosis: Diagnosis,
  charged: boolean,
): void {
  if (vm.reserved && (!bootsGuest(step) || canBootNow(ctx))) {
    act(ctx, vm, step, diagnosis, charged);
    return;
  }
  planned(vm, step, null, 'as soon as the host has a slot for it');
  enqueue(ctx, vm, charged ? (bootsGuest(step) ? 'boot' : 'mild') : 'start');
}

function act(
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
  const text = `${vm.id}: ${step} was undone ${vm.war.day.length} times within a day; after this one it is left as others want it`;
  // Once a war, also where the failure is still the same.
  escalate(ctx, vm, 'edit-war', text, `edit-war/${ctx.now}`);
}

function noteAttempt(vm: PolicyVmState, action: RecoveryAction, now: number): void {
  const attempts = vm.episode?.attempts ?? [];
  const { id: actionId, step, diagnosis } = action;
  attempts.push({ actionId, step, cause: diagnosis.cause, startedAtMs: now, endedAtMs: null, result: null });
  if (attempts.length > LIMITS.attemptsKept) attempts.shift();
}

export function blocked(
  ctx: StepContext,
  vm: PolicyVmState,
  step: LadderStep,
  blockers: readonly Blocker[],
): void {
  for (const blocker of blockers) if (blocker.untilMs !== null) wakeAt(ctx, blocker.untilMs);
  vm.blockers = [...blockers];
  const [first] = blockers;
  if (!first) return;
  const open = blockers.some((b) => b.untilMs === null);
  const atMs = open ? null : Math.max(...blockers.map((b) => b.untilMs ?? 0));
  planned(vm, step, atMs, open ? 'once nothing holds it any more' : 'then');
  tellHold(ctx, vm, first, step);
  if (blockers.some(({ rule }) => rule === 'io-veto')) tellLongVeto(ctx, vm, step);
}

/** Something fails for long in a guest that works otherwise: nothing stronger will be done, so people must know. */
function tellLongVeto(ctx: StepContext, vm: PolicyVmState, step: LadderStep): void {
  const atMs = (vm.episode?.startedAtMs ?? ctx.now) + LIMITS.vetoToldMs;
  if (ctx.now < atMs) wakeAt(ctx, atMs);
  else
    escalate(
      ctx,
      vm,
      'io-veto',
      `${vm.id}: ${step} would be next, but its guest still works; a person is needed`,
    );
}

function holdOnce(ctx: StepContext, vm: PolicyVmState, blocker: Blocker): void {
  if (blocker.untilMs !== null) wakeAt(ctx, blocker.untilMs);
  vm.blockers = [blocker];
  tellHold(ctx, vm, blocker, null);
}

/** Says a hold when it begins, not every time it is found again. */
export function tellHold(
  ctx: StepContext,
  vm: PolicyVmState,
  blocker: Blocker,
  step: LadderStep | null,
): void {
  // A veto is prolonged with every move of the guest, and is still one.
  const end = blocker.rule === 'io-veto' ? vm.activity.movedAtMs !== null : blocker.untilMs;
  const key = `${blocker.rule} ${step} ${end}`;
  if (vm.told.hold === key) return;
  vm.told.hold = key;
  const until = blocker.untilMs === null ? '' : ` (until ${utc(blocker.untilMs)})`;
  const what = step === null ? '' : `${step} waits: `;
  say(ctx, {
    vm,
    kind: 'hold',
    rule: blocker.rule,
    text: `${what}${blocker.text}${until}`,
    data: { step, untilMs: blocker.untilMs },
  });
}

function would(
  ctx: StepContext,
  vm: PolicyVmState,
  step: LadderStep,
  diagnosis: Diagnosis,
  idle: Blocker,
): void {
  vm.blockers = [idle];
  const unless = idle.rule === 'observe-only' ? 'recovery were enabled' : 'its annotation were removed';
  planned(vm, step, null, `if ${unless}`);
  const key = `${idle.rule} ${diagnosis.kind}/${diagnosis.cause} ${step}`;
  if (vm.told.would === key) return;
  vm.told.would = key;
  say(ctx, {
    vm,
    kind: 'would',
    rule: idle.rule,
    text: `would ${step} for ${diagnosis.kind} (${diagnosis.cause}): ${idle.text}`,
    data: { step, diagnosis: { kind: diagnosis.kind, cause: diagnosis.cause } },
  });
}

function alert(ctx: StepContext, vm: PolicyVmState, verdict: Verdict): void {
  const { rule, text } = tellPeople(ctx, vm, verdict);
  vm.blockers = [{ rule, text, untilMs: null }];
}

function tellPeople(ctx: StepContext, vm: PolicyVmState, verdict: Verdict): { rule: Rule; text: string } {
  const { kind, cause, evidence } = verdict.diagnosis;
  const rule: Rule = kind === 'storage' ? 'storage' : 'api-silence';
  const text =
    kind === 'storage'
      ? 'a storage failure is never answered by a reset; free space or repair the disk, then resume the VM'
      : 'the VMM does not answer, but the guest may live: it is not ended for that alone';
  escalate(ctx, vm, rule, `${vm.id}: ${kind} (${cause}), ${evidence.at(-1)?.text ?? text}; ${text}`);
  return { rule, text };
}

function waitForWedged(ctx: StepContext, vm: PolicyVmState): void {
  const untilMs = (vm.wedgedSinceMs ?? ctx.now) + (vm.spec?.recovery.wedgedAfterMs ?? 0);
  const text = 'neither VMM nor guest answers; the VMM is ended only if that lasts';
  holdOnce(ctx, vm, { rule: 'wedged-after', text, untilMs });
  planned(vm, 'power-cycle', untilMs, 'if a fresh look still finds both silent');
  // The verdict said "not yet": once it is time, only a new look can say more.
  if (ctx.now >= untilMs) askWhatItMeans(ctx, vm);
}

function nothingLeft(ctx: StepContext, vm: PolicyVmState, verdict: Verdict, retryAtMs: number | null): void {
  const { kind, cause } = verdict.diagnosis;
  if (retryAtMs === null) {
    const text = `no step is left for ${kind} (${cause}) that its driver supports`;
    vm.blockers = [{ rule: 'ladder-exhausted', text, untilMs: null }];
    escalate(ctx, vm, 'ladder-exhausted', `${vm.id}: ${text}; a person is needed`);
    return;
  }
  const failed = vm.episode?.attempts.findLast((a) => a.result?.result === 'impossible')?.result;
  const why = failed && failed.result !== 'done' ? `: ${failed.message}` : '';
  holdOnce(ctx, vm, {
    rule: 'impossible',
    text: `no step for ${kind} (${cause}) is possible now${why}`,
    untilMs: retryAtMs,
  });
  escalate(
    ctx,
    vm,
    'impossible',
    `${vm.id}: no step for ${kind} (${cause}) is possible${why}; a person is needed`,
  );
}

function quarantine(ctx: StepContext, vm: PolicyVmState, rule: 'budget-consecutive' | 'budget-24h'): void {
  const { consecutive } = vm.budget;
  const text =
    rule === 'budget-consecutive'
      ? `${consecutive} recoveries in a row did not make it stable`
      : `${rollingUsed(vm, ctx.now)} recoveries in 24 hours`;
  vm.quarantine = { sinceMs: ctx.now, rule, text };
  vm.blockers = [{ rule: 'quarantine', text, untilMs: null }];
  say(ctx, { vm, kind: 'quarantine', rule, text: `quarantined: ${text}; only a person lets it out` });
  escalate(ctx, vm, 'quarantine', `${vm.id} is quarantined: ${text}; look at it, then release it`);
  close(ctx, vm, 'quarantined');
}

function planned(vm: PolicyVmState, step: LadderStep, atMs: number | null, text: string): void {
  vm.next = { step, atMs, text };
}
