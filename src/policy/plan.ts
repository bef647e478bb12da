import type { LadderStep } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import { beginAction } from './begin-action.js';
import { type Blocker, blockersOf } from './blockers.js';
import { exhausted, rollingUsed } from './budget.js';
import { askWhatItMeans } from './confirm.js';
import { escalate, type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { close } from './episode.js';
import { canBootNow, enqueue } from './host.js';
import { bootsGuest, ladderFor, nextStep } from './ladder.js';
import { idleBecause } from './mode.js';
import type { Rule } from './rules.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';
import { blocked, holdOnce, planned } from './waits.js';

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
    beginAction(ctx, vm, step, diagnosis, charged);
    return;
  }
  planned(vm, step, null, 'as soon as the host has a slot for it');
  enqueue(ctx, vm, charged ? (bootsGuest(step) ? 'boot' : 'mild') : 'start');
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
      ? `${consecutive} ${consecutive === 1 ? 'recovery' : 'recoveries'} in a row did not make it stable`
      : `${rollingUsed(vm, ctx.now)} recoveries in 24 hours`;
  vm.quarantine = { sinceMs: ctx.now, rule, text };
  vm.blockers = [{ rule: 'quarantine', text, untilMs: null }];
  say(ctx, { vm, kind: 'quarantine', rule, text: `quarantined: ${text}; only a person lets it out` });
  escalate(ctx, vm, 'quarantine', `${vm.id} is quarantined: ${text}; look at it, then release it`);
  close(ctx, vm, 'quarantined');
}
