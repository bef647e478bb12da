import { extendGrace, syncActivity } from './activity.js';
import { expireAct, followAct } from './acts.js';
import { type Assessment, assess, latch } from './assess.js';
import { type Blocker, graceBlocker } from './blockers.js';
import { brakeBlocker } from './brake.js';
import { askWhatIsRemembered, askWhatIsUnheard, askWhatItMeans, confirmOverdue } from './confirm.js';
import { escalate, type StepContext, say, wakeAt } from './context.js';
import { LIMITS } from './defaults.js';
import { noteFine, noteStopped, noteVerdict } from './episode.js';
import { lastWordsOver } from './facts.js';
import { countInFleet } from './fleet.js';
import { forgetVm } from './forget-vm.js';
import { noteHealth } from './health.js';
import { freeSlot } from './host.js';
import { endMaintenance, type HoldRecord } from './people.js';
import { pursue, startUp } from './plan.js';
import type { ProbeRecord } from './probe-record.js';
import { followSchedule } from './scheduled.js';
import { incidentBlocker } from './shared-cause.js';
import {
  blindProbes,
  blindText,
  guestSeen,
  healthBack,
  inGrace,
  settled,
  settledAtMs,
  stillFails,
} from './signals.js';
import { tellLongSuspension } from './suspension.js';
import { evidence, span, utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';
import { tellHold } from './waits.js';
import { setWake } from './wakes.js';

/** Looks at everything that is known of one VM and does what follows from it. Doing it twice changes nothing. */
export function evaluate(ctx: StepContext, vm: PolicyVmState): void {
  ctx.wakeAtMs = Number.POSITIVE_INFINITY;
  ctx.wantsSlot = false;
  vm.stored = null;
  ctx.looked.push(vm.id);
  vm.blockers = [];
  vm.next = null;
  vm.lookAtMs = null;
  if (vm.spec === null) evaluateForgotten(ctx, vm);
  else evaluateWatched(ctx, vm);
  if (vm.reserved && !vm.action && vm.confirm?.purpose !== 'diagnose') freeSlot(ctx.state, vm);
  if (!ctx.wantsSlot) vm.ticket = 0;
  countInFleet(ctx, vm);
  setWake(ctx.state, vm, Number.isFinite(ctx.wakeAtMs) ? ctx.wakeAtMs : null);
}

/** Not watched any more: budgets and quarantine are remembered for a day, in case it comes back. */
function evaluateForgotten(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.removedAtMs === null || vm.action) return;
  const untilMs = vm.removedAtMs + LIMITS.dayMs;
  if (ctx.now >= untilMs) forgetVm(ctx, vm);
  else wakeAt(ctx, untilMs);
}

function evaluateWatched(ctx: StepContext, vm: PolicyVmState): void {
  expire(ctx, vm);
  confirmOverdue(ctx, vm);
  lastWordsOver(ctx, vm);
  latch(vm, ctx.now);
  const found = assessWithGrace(ctx, vm);
  syncSuspension(ctx, vm, found);
  syncActivity(ctx, vm, found);
  if (vm.action === null) {
    if (vm.act) followAct(ctx, vm, vm.act);
    else if (vm.maintenance) inMaintenance(ctx, vm, vm.maintenance);
    else if (vm.quarantine) quarantined(vm);
    else follow(ctx, vm, found);
    askWhatIsRemembered(ctx, vm);
  }
  inFlight(ctx, vm);
  tellLongSuspension(ctx, vm, found.kind === 'paused');
  noteHealth(ctx, vm, found);
}

/** What has a time limit and is over. */
function expire(ctx: StepContext, vm: PolicyVmState): void {
  const { now } = ctx;
  expireAct(ctx, vm);
  if (vm.hold?.untilMs != null && vm.hold.untilMs <= now) vm.hold = null;
  if (vm.actionHeld && vm.actionHeld.untilMs <= now) vm.actionHeld = null;
  extendGrace(ctx, vm);
  if (vm.graceUntilMs !== null && vm.graceUntilMs <= now) vm.graceUntilMs = null;
  if (vm.maintenance?.untilMs != null && vm.maintenance.untilMs <= now)
    endMaintenance(ctx, vm, 'its time is over');
  if (vm.hold?.untilMs != null) wakeAt(ctx, vm.hold.untilMs);
  if (vm.maintenance?.untilMs != null) wakeAt(ctx, vm.maintenance.untilMs);
  if (vm.graceUntilMs !== null) wakeAt(ctx, vm.graceUntilMs);
}

/** Grace ends early once health is back; what fails after that fails for good. */
function assessWithGrace(ctx: StepContext, vm: PolicyVmState): Assessment {
  const found = assess(vm, ctx.now);
  if (found.kind !== 'fine' || !healthBack(vm, ctx.now, true)) return found;
  vm.guestBoots = 0;
  if (!inGrace(vm, ctx.now)) return found;
  vm.graceUntilMs = null;
  return assess(vm, ctx.now);
}

/** Probes of a VM that a person or a tool paused are suspended; a pause that belongs to a failure or to us is not one. */
function syncSuspension(ctx: StepContext, vm: PolicyVmState, found: Assessment): void {
  const suspended = found.kind === 'paused' && vm.facts.pausedAtMs !== null && vm.action === null;
  if (suspended === vm.suspended) return;
  vm.suspended = suspended;
  ctx.effects.push({ type: suspended ? 'suspend-probes' : 'resume-probes', vm: vm.id });
}

function inFlight(ctx: StepContext, vm: PolicyVmState): void {
  const record = vm.action;
  if (!record) return;
  const { action } = record;
  vm.next = { step: action.step, atMs: record.startedAtMs, text: 'is being carried out' };
  if (record.unresolved) {
    const text = `the daemon ended during ${action.step}; what it did is found out by looking`;
    vm.blockers = [{ rule: 'unresolved', text, untilMs: null }];
    return;
  }
  const overdueAtMs = record.startedAtMs + action.timeoutMs + LIMITS.overdueMs;
  if (ctx.now < overdueAtMs) {
    wakeAt(ctx, overdueAtMs);
    return;
  }
  if (record.overdueTold) return;
  record.overdueTold = true;
  const text = `${vm.id}: ${action.step} has not ended ${span(ctx.now - record.startedAtMs)} after it began`;
  escalate(ctx, vm, 'action-overdue', text, action.id);
}

function inMaintenance(
  ctx: StepContext,
  vm: PolicyVmState,
  { author, sinceMs, reason, untilMs }: HoldRecord,
): void {
  const text = `${author} works on it since ${utc(sinceMs)}: ${reason}`;
  hold(ctx, vm, { rule: 'maintenance', text, untilMs });
}

function quarantined(vm: PolicyVmState): void {
  if (!vm.quarantine) return;
  vm.blockers = [{ rule: 'quarantine', text: vm.quarantine.text, untilMs: null }];
}

function follow(ctx: StepContext, vm: PolicyVmState, found: Assessment): void {
  switch (found.kind) {
    case 'unknown':
      vm.blockers = [{ rule: 'not-looked', text: 'nobody has looked yet whether it runs', untilMs: null }];
      return;
    case 'paused':
      hold(ctx, vm, { rule: 'paused', text: found.text, untilMs: null });
      return;
    case 'stopped':
      stopped(ctx, vm, found);
      return;
    case 'start-up': {
      const text = 'not running when first looked at, and its run strategy wants it';
      const list = [evidence(ctx.now, 'process', text)];
      startUp(ctx, vm, { kind: 'vmm-dead', cause: 'process-gone', evidence: list });
      return;
    }
    case 'wait':
      hold(ctx, vm, { rule: found.rule, text: found.text, untilMs: found.untilMs });
      return;
    case 'blind':
      distrust(ctx, vm, found.probes);
      return;
    case 'verdict':
      vm.verdict = found.verdict;
      vm.verdictFor = '';
      noteVerdict(ctx, vm, found.verdict);
      pursue(ctx, vm, found.verdict);
      return;
    case 'suspect':
      suspect(ctx, vm, found.key);
      return;
    case 'fine':
      fine(ctx, vm);
      return;
  }
}

function suspect(ctx: StepContext, vm: PolicyVmState, key: string): void {
  if (vm.verdict && vm.verdictFor === key) {
    noteVerdict(ctx, vm, vm.verdict);
    pursue(ctx, vm, vm.verdict);
    return;
  }
  const { host } = ctx.state;
  const together = incidentBlocker(host, vm) ?? brakeBlocker(host);
  if (together !== null && stillFails(vm, ctx.now)) {
    // Whatever a look would say, nothing is done now; it would be old by then, and all of them at once are a storm.
    vm.blockers = [together];
    return;
  }
  if (vm.doubt) vm.blockers = [{ ...vm.doubt, untilMs: null }];
  askWhatItMeans(ctx, vm);
}

function fine(ctx: StepContext, vm: PolicyVmState): void {
  vm.verdict = null;
  vm.verdictFor = '';
  vm.doubt = null;
  vm.confirmTries = 0;
  noteFine(ctx, vm);
  if (vm.episode === null && vm.guestBoots === 0) vm.told.escalated = [];
  if (vm.guestBoots >= LIMITS.bootLoop) {
    const text = `${vm.id} has rebooted itself ${vm.guestBoots} times without becoming healthy`;
    escalate(ctx, vm, 'boot-loop', text);
  }
  unheard(ctx, vm);
  if (inGrace(vm, ctx.now)) vm.blockers = [graceBlocker(vm)];
  const blind = blindProbes(vm);
  if (blind.length > 0) distrust(ctx, vm, blind);
  else if (vm.episode === null && vm.scheduled === null) vm.told.hold = '';
  const isWell = vm.episode === null && blind.length === 0 && !inGrace(vm, ctx.now) && guestSeen(vm);
  if (isWell) followSchedule(ctx, vm);
  if (!settled(vm, ctx.now)) wakeAt(ctx, settledAtMs(vm));
  askWhatIsUnheard(ctx, vm);
}

/** Nothing asks for more than what was done, and still nobody has heard the guest: a person has to look. */
function unheard(ctx: StepContext, vm: PolicyVmState): void {
  const last = vm.episode?.outcome === 'open' ? vm.episode.attempts.at(-1) : undefined;
  if (!last?.endedAtMs || inGrace(vm, ctx.now) || guestSeen(vm)) return;
  const text = `${vm.id}: its guest was not heard since ${last.step} at ${utc(last.endedAtMs)}`;
  escalate(ctx, vm, 'unheard', text, last.actionId);
}

/** We cannot see: nothing follows for the VM, and people learn that we are the ones with a problem. */
function distrust(ctx: StepContext, vm: PolicyVmState, blind: readonly ProbeRecord[]): void {
  const text = `no conclusive result from ${blindText(blind)}`;
  hold(ctx, vm, { rule: 'observer', text, untilMs: null });
}

function stopped(ctx: StepContext, vm: PolicyVmState, found: Assessment & { kind: 'stopped' }): void {
  if (vm.ended && noteStopped(ctx, vm, vm.ended.diagnosis) && vm.ended.diagnosis.kind === 'vmm-dead') {
    escalate(ctx, vm, found.rule, `${vm.id}: ${found.text}`);
  }
  hold(ctx, vm, { rule: found.rule, text: found.text, untilMs: null });
}

function hold(ctx: StepContext, vm: PolicyVmState, blocker: Blocker): void {
  if (blocker.untilMs !== null) wakeAt(ctx, blocker.untilMs);
  vm.blockers = [blocker];
  tellHold(ctx, vm, blocker, null);
}

/** Says what a step's only waiting reason is the host. */
export function tellQueued(ctx: StepContext, vm: PolicyVmState, blocker: Blocker): void {
  vm.blockers = [blocker];
  tellHold(ctx, vm, blocker, vm.next?.step ?? null);
}

/** Says that something was ignored, so that nothing is lost silently. */
export function ignored(ctx: StepContext, vm: PolicyVmState | null, text: string): void {
  say(ctx, { vm, kind: 'note', rule: 'ignored', text });
}
