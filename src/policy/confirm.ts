import type { Outcome } from '../model/outcome.js';
import { assess } from './assess.js';
import { classify } from './classify.js';
import { type StepContext, say, wakeAt } from './context.js';
import { LIMITS } from './defaults.js';
import type { ProbeRecord } from './probe-record.js';
import { filterProbes, guestPaths, guestSeen, isGuestPath, someProbe } from './signals.js';
import type { PolicyVmState } from './vm-state.js';

export type ConfirmPurpose = 'diagnose' | 'verify';

export interface ConfirmRecord {
  id: string;
  purpose: ConfirmPurpose;
  askedAtMs: number;
  deadlineMs: number;
}

type Outcomes = Readonly<Record<string, Outcome>>;

/** Asks for fresh outcomes, unless a look is under way already. */
function ask(ctx: StepContext, vm: PolicyVmState, purpose: ConfirmPurpose, probes: readonly string[]): void {
  const timeoutMs = ctx.state.config.confirmTimeoutMs;
  vm.asked += 1;
  // What it is for and when it was asked lets a replay find the answer to it.
  const id = `${vm.id}?${vm.asked}/${purpose}@${ctx.now}`;
  const deadlineMs = ctx.now + timeoutMs + LIMITS.confirmSlackMs;
  vm.confirm = { id, purpose, askedAtMs: ctx.now, deadlineMs };
  wakeAt(ctx, deadlineMs);
  ctx.effects.push({ type: 'confirm', vm: vm.id, confirmId: id, probes, timeoutMs });
}

/** A fresh look at every probe of the VM, to learn what a failure means. At most one is under way. */
export function askWhatItMeans(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.confirm?.purpose === 'diagnose') {
    wakeAt(ctx, vm.confirm.deadlineMs);
    return;
  }
  if (ctx.now < vm.confirmRetryAtMs) {
    vm.lookAtMs = vm.confirmRetryAtMs;
    wakeAt(ctx, vm.confirmRetryAtMs);
    return;
  }
  ask(ctx, vm, 'diagnose', [...vm.probes.keys()]);
}

/**
 * Start states say nothing and cause no transition: a liveness probe that has been ok all along was never heard of,
 * and neither was anything of a VM that was adopted. Where nothing else speaks for the guest, they are asked once.
 */
export function askWhatIsUnheard(ctx: StepContext, vm: PolicyVmState): void {
  verify(ctx, vm, unheardProbes(vm));
}

/**
 * Whatever else is known of a VM, a readiness that is only remembered decides on its place in the list of endpoints: the
 * engine begins it as failed, and says nothing while it fails.
 */
export function askWhatIsRemembered(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.running !== true || !vm.verifyAll || vm.suspended) return;
  if (someProbe(vm, isRememberedReadiness)) verify(ctx, vm, filterProbes(vm, isRememberedReadiness));
  else if (!someProbe(vm, isUnheardPath)) vm.verifyAll = false;
}

const isRememberedReadiness = (r: ProbeRecord) => r.spec.role === 'readiness' && r.assumed;
const isUnheardPath = (r: ProbeRecord) => isGuestPath(r) && (!r.seen || r.assumed);

function verify(ctx: StepContext, vm: PolicyVmState, unheard: readonly ProbeRecord[]): void {
  if (unheard.length === 0) return;
  if (vm.confirm) {
    wakeAt(ctx, vm.confirm.deadlineMs);
    return;
  }
  if (ctx.now < vm.verifyRetryAtMs) {
    wakeAt(ctx, vm.verifyRetryAtMs);
    return;
  }
  ask(
    ctx,
    vm,
    'verify',
    unheard.map((r) => r.spec.name),
  );
}

function unheardProbes(vm: PolicyVmState): ProbeRecord[] {
  const paths = guestPaths(vm);
  if (vm.verifyAll) {
    return filterProbes(vm, (r) => isUnheardPath(r) || isRememberedReadiness(r));
  }
  if (guestSeen(vm)) return [];
  // After a boot, only probes that begin as ok keep silent while all is well.
  return paths.every((r) => r.spec.startState === 'ok') ? paths.filter((r) => !r.seen) : [];
}

/** The answer to a fresh look came. A stale one is ignored. */
export function noteConfirmed(ctx: StepContext, vm: PolicyVmState, id: string, outcomes: Outcomes): void {
  if (vm.confirm?.id !== id) return;
  const { purpose } = vm.confirm;
  vm.confirm = null;
  if (purpose === 'verify') noteVerified(ctx, vm, outcomes);
  else noteDiagnosed(ctx, vm, outcomes);
}

/** Nobody answered a fresh look: that is no answer of any probe. */
export function confirmOverdue(ctx: StepContext, vm: PolicyVmState): void {
  if (!vm.confirm) return;
  if (ctx.now < vm.confirm.deadlineMs) {
    wakeAt(ctx, vm.confirm.deadlineMs);
    return;
  }
  noteConfirmed(ctx, vm, vm.confirm.id, {});
}

function noteVerified(ctx: StepContext, vm: PolicyVmState, outcomes: Outcomes): void {
  vm.verifyTries += 1;
  vm.verifyRetryAtMs = ctx.now + doubling(LIMITS.verifyRetryMs, LIMITS.verifyRetryCapMs, vm.verifyTries);
  for (const record of unheardProbes(vm)) {
    const outcome = Object.hasOwn(outcomes, record.spec.name) ? outcomes[record.spec.name] : undefined;
    if (outcome?.result === 'ok' && !record.latched) {
      // The engine begins a readiness as failed, and tells nothing while that lasts: it is asked again until it has spoken.
      const assumed = record.spec.startState === 'failed';
      Object.assign(record, { state: 'ok', seen: true, assumed, reason: null, lastOkMs: ctx.now });
      if (record.sinceMs === 0) record.sinceMs = ctx.now;
    } else if (outcome?.result === 'failed' && record.assumed && record.spec.role === 'readiness') {
      // Not counted by thresholds, so it can cost no more than a place in the list of endpoints.
      const sinceMs = record.state === 'failed' && record.seen ? record.sinceMs : ctx.now;
      Object.assign(record, { state: 'failed', seen: true, reason: outcome.reason, sinceMs });
    }
  }
}

function noteDiagnosed(ctx: StepContext, vm: PolicyVmState, outcomes: Outcomes): void {
  const suspected = assess(vm, ctx.now);
  if (suspected.kind !== 'suspect') return;
  const found = classify(vm, outcomes, ctx.now);
  if (found.kind === 'verdict') {
    vm.verdict = found.verdict;
    vm.verdictFor = suspected.key;
    vm.doubt = null;
    vm.confirmTries = 0;
    vm.confirmRetryAtMs = ctx.now + LIMITS.confirmGapMs;
    return;
  }
  vm.verdict = null;
  vm.verdictFor = '';
  if (found.kind === 'unconfirmed') acquit(ctx, vm, outcomes);
  vm.confirmTries += 1;
  vm.confirmRetryAtMs = ctx.now + doubling(LIMITS.confirmRetryMs, LIMITS.confirmRetryCapMs, vm.confirmTries);
  const rule = found.kind === 'unconfirmed' ? 'unconfirmed' : 'observer';
  if (vm.doubt?.rule !== rule || vm.doubt.text !== found.text) {
    say(ctx, { vm, kind: 'hold', rule, text: found.text });
  }
  vm.doubt = { rule, text: found.text };
}

/** What had failed answers. The engine says nothing of a liveness that it has only seen ok, whatever we remember of it. */
function acquit(ctx: StepContext, vm: PolicyVmState, outcomes: Outcomes): void {
  for (const record of vm.probes.values()) {
    record.latched = false;
    if (!record.assumed || record.state !== 'failed' || record.spec.startState !== 'ok') continue;
    if (!Object.hasOwn(outcomes, record.spec.name) || outcomes[record.spec.name]?.result !== 'ok') continue;
    const heard = { state: 'ok', seen: true, assumed: false, reason: null } as const;
    Object.assign(record, heard, { sinceMs: ctx.now, lastOkMs: ctx.now });
  }
}

function doubling(baseMs: number, capMs: number, tries: number): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(tries - 1, 16));
}
