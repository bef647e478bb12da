import { NEW_VMM_STEPS } from '../model/action.js';
import type { VmId } from '../model/vm.js';
import { noteActionEnded, noteActionHeld, resolveByLooking } from './actions.js';
import { noteActivity } from './activity.js';
import { endedByPerson, noteAct, noteActEnded } from './acts.js';
import { syncBrake } from './brake.js';
import { noteConfirmed } from './confirm.js';
import { newContext, type StepContext } from './context.js';
import { LIMITS } from './defaults.js';
import { close } from './episode.js';
import { evaluate, ignored, tellQueued } from './evaluate.js';
import { endedUnseen, interpretUnseen } from './exits.js';
import { noteProbe, noteStatus, noteVmmEvent } from './facts.js';
import { forgetVm } from './forget-vm.js';
import { earlierOf, freeSlot, grantSlot, hostWakeAt, noteLimits, queueBlocker } from './host.js';
import { noteHostBooted, noteHostSigns } from './host-boot.js';
import { newHostState } from './host-state.js';
import { beginInstance, configureProbes, forget, resetProbes } from './instance.js';
import { clearIntents } from './intents.js';
import { forceReconcile } from './mode.js';
import {
  noteHold,
  noteJournal,
  noteJournalLost,
  noteMaintenance,
  noteRelease,
  noteUnhold,
} from './people.js';
import { noteSchedule } from './scheduled.js';
import { forgetOldFailures, noteShares, syncIncident } from './shared-cause.js';
import type { PolicyConfig, PolicyEvent, PolicyState, StepResult } from './types.js';
import { newVmState, type PolicyVmState } from './vm-state.js';
import { earliestWake, takeDue, wakeNow } from './wakes.js';

/** A policy that knows of no VM yet. */
export function createPolicy(config: PolicyConfig): PolicyState {
  return { config, vms: new Map(), host: newHostState() };
}

/**
 * Takes one event and says what follows from it. Deterministic: the same state, event and `now` (wall clock, ms) give
 * the same result. The state is owned and changed by this call; use the returned one from here on. Costs O(log VMs)
 * for an event of one VM; what concerns all of them (a hold on all, the journal) is spread over steps.
 */
export function step(state: PolicyState, event: PolicyEvent, now: number): StepResult {
  const ctx = newContext(state, now);
  forgetOldFailures(ctx);
  const { hold } = state.host;
  const holdOver = hold?.untilMs != null && hold.untilMs <= now;
  if (holdOver) state.host.hold = null;
  const concerned = apply(ctx, event);
  if (concerned === 'all' || holdOver) for (const vm of state.vms.values()) wakeNow(ctx, vm);
  else if (concerned) evaluate(ctx, concerned);
  const left = lookAtDue(ctx, LIMITS.lookedAtAStep);
  followFleet(ctx);
  lookAtDue(ctx, left);
  for (let granted = grantSlot(ctx); granted; granted = grantSlot(ctx)) evaluate(ctx, granted);
  for (const vm of ctx.queued) if (vm.ticket !== 0) tellQueued(ctx, vm, queueBlocker(ctx, vm));
  const { effects, decisions, looked } = ctx;
  return { state, effects, decisions, looked, wakeAtMs: nextWake(ctx) };
}

/**
 * Looks at VMs whose time has come, so many at most: the others are due in the next step, which is asked for at once.
 * What concerns all VMs of a large host must not hold everything else up; no VM acts before it was looked at.
 */
function lookAtDue(ctx: StepContext, most: number): number {
  for (let left = most; left > 0; left--) {
    const due = takeDue(ctx.state, ctx.now);
    if (!due) return left;
    evaluate(ctx, due);
  }
  return 0;
}

/** Incident and brake concern those that fail or wait for a slot, and once they are over everybody. */
function followFleet(ctx: StepContext): void {
  const incident = syncIncident(ctx);
  const brake = syncBrake(ctx);
  if (incident === null && brake === null) return;
  const { vms, host } = ctx.state;
  if (incident === 'over' || brake === 'released') {
    for (const vm of vms.values()) wakeNow(ctx, vm);
    return;
  }
  for (const id of host.failing) wakeKnown(ctx, id);
  for (const queue of Object.values(host.queues)) for (const { vm } of queue) wakeKnown(ctx, vm);
}

function wakeKnown(ctx: StepContext, id: VmId): void {
  const vm = ctx.state.vms.get(id);
  if (vm) wakeNow(ctx, vm);
}

function nextWake(ctx: StepContext): number | null {
  return earlierOf(earliestWake(ctx.state), hostWakeAt(ctx));
}

/** Notes the event, and says whom it concerns. */
function apply(ctx: StepContext, event: PolicyEvent): PolicyVmState | 'all' | null {
  switch (event.type) {
    case 'tick':
      return null;
    case 'journal':
      return noteJournal(ctx, event.available) ? 'all' : null;
    case 'journal-lost':
      noteJournalLost(ctx, event.why);
      return 'all';
    case 'gathering':
      ctx.state.host.gathering = event.gathering;
      return 'all';
    case 'host-signs':
      return noteHostSigns(ctx, event.signs);
    case 'limits':
      noteLimits(ctx, event.limits);
      return 'all';
    case 'host-booted':
      noteHostBooted(ctx);
      return 'all';
    case 'hold':
    case 'unhold':
    case 'clear-intents': {
      if (event.vm === null) {
        if (event.type === 'hold') noteHold(ctx, null, event);
        else if (event.type === 'unhold') noteUnhold(ctx, null, event.author);
        else clearIntents(ctx, null, event.author);
        return 'all';
      }
      break;
    }
    case 'vm-configured':
      return configured(ctx, event);
    default:
  }
  const vm = ctx.state.vms.get(event.vm ?? '');
  if (!vm) {
    ignored(ctx, null, `${event.type} for a VM that is not known: ${event.vm}`);
    return null;
  }
  // Some events come again and again and say what is known: nothing follows from them.
  if (event.type === 'vm-looked') return looked(ctx, vm, event.running) ? vm : null;
  if (event.type === 'activity') return noteActivity(vm, event.moved, event.atMs) ? vm : null;
  applyToVm(ctx, vm, event);
  return ctx.state.vms.has(vm.id) ? vm : null;
}

function applyToVm(
  ctx: StepContext,
  vm: PolicyVmState,
  event: Exclude<
    PolicyEvent,
    {
      type:
        | 'tick'
        | 'journal'
        | 'journal-lost'
        | 'gathering'
        | 'host-signs'
        | 'limits'
        | 'host-booted'
        | 'vm-configured'
        | 'vm-looked'
        | 'activity';
    }
  >,
): void {
  switch (event.type) {
    case 'vm-removed':
      removed(ctx, vm);
      return;
    case 'vm-attached':
      attached(ctx, vm, event);
      return;
    case 'probe':
      noteProbe(ctx, vm, event);
      return;
    case 'vmm-event':
      noteVmmEvent(ctx, vm, event.event, event.atMs);
      return;
    case 'confirmed':
      noteConfirmed(ctx, vm, event.confirmId, event.outcomes);
      return;
    case 'action-ended':
      noteActionEnded(ctx, vm, event.actionId, event.result);
      return;
    case 'action-held':
      noteActionHeld(ctx, vm, event);
      return;
    case 'act':
      noteAct(ctx, vm, event.act);
      return;
    case 'act-ended':
      noteActEnded(ctx, vm, event);
      return;
    case 'hold':
      noteHold(ctx, vm, event);
      return;
    case 'unhold':
      noteUnhold(ctx, vm, event.author);
      return;
    case 'maintenance':
      noteMaintenance(ctx, vm, event);
      return;
    case 'schedule':
      noteSchedule(ctx, vm, event);
      return;
    case 'clear-intents':
      clearIntents(ctx, vm, event.author);
      return;
    case 'probes-reset':
      resetProbes(ctx, vm, event);
      return;
    case 'release':
      noteRelease(ctx, vm, event.author);
      return;
  }
}

function configured(
  ctx: StepContext,
  { vm: spec, recounted = [] }: Extract<PolicyEvent, { type: 'vm-configured' }>,
): PolicyVmState {
  const known = ctx.state.vms.has(spec.id);
  let vm = ctx.state.vms.get(spec.id);
  if (!vm) {
    vm = newVmState(spec.id, ctx.now);
    ctx.state.vms.set(spec.id, vm);
  }
  vm.spec = spec;
  vm.removedAtMs = null;
  configureProbes(vm, spec.probes, new Set(recounted));
  vm.impossible = {};
  if (spec.forceReconcile !== undefined && spec.forceReconcile !== vm.forced) {
    vm.forced = spec.forceReconcile;
    if (known) forceReconcile(ctx, vm);
  }
  return vm;
}

/** No longer watched; nothing is stopped. Budgets, quarantine and holds are remembered for a day. */
function removed(ctx: StepContext, vm: PolicyVmState): void {
  const isDeleted = vm.act?.verb === 'delete';
  vm.act = null;
  vm.spec = null;
  vm.removedAtMs = ctx.now;
  close(ctx, vm, 'intended');
  forget(vm);
  vm.running = null;
  vm.probes = new Map();
  vm.suspended = false;
  vm.startupPending = false;
  if (vm.reserved) freeSlot(ctx.state, vm);
  // Nobody will look any more at what became of it.
  if (vm.action?.unresolved) vm.action = null;
  const { budget } = vm;
  const worthIt =
    vm.quarantine ||
    vm.hold ||
    vm.maintenance ||
    budget.consecutive > 0 ||
    budget.rolling.length > 0 ||
    vm.ended;
  if (isDeleted || (!worthIt && !vm.action)) forgetVm(ctx, vm);
}

/** True: something changed. */
function looked(ctx: StepContext, vm: PolicyVmState, running: boolean): boolean {
  // What runs is known once it is attached; only an absence is news.
  if (running || vm.running === false) return false;
  const first = vm.running === null;
  const byPerson = endedByPerson(vm, ctx.now, []);
  const tried = vm.action !== null || (vm.episode?.outcome === 'open' && vm.episode.attempts.length > 0);
  vm.running = false;
  vm.graceUntilMs = null;
  forget(vm);
  resolveByLooking(ctx, vm, { running: false, newVmm: false, lostGuest: false });
  if (vm.ended) return true;
  if (byPerson) vm.ended = byPerson;
  else if (tried || !first)
    vm.ended = endedUnseen(ctx.now, tried ? 'ours' : 'failure', 'the VMM was found gone');
  else if (endedBetweenDaemons(vm)) vm.ended = interpretUnseen(vm, ctx.now);
  else vm.startupPending = startsUp(vm);
  return true;
}

/** A former daemon left it running, and whether it is wanted back depends on how it ended. */
function endedBetweenDaemons({ spec, vmm }: PolicyVmState): boolean {
  return spec?.runStrategy === 'RerunOnFailure' && vmm !== null;
}

/** Whether a VM that is off when first looked at is to be started, by its run strategy. */
function startsUp(vm: PolicyVmState): boolean {
  switch (vm.spec?.runStrategy) {
    case 'Always':
      return true;
    case 'RerunOnFailure':
      // It begins once, and goes on where its host had gone down; what ended by itself stays so.
      return !vm.everRan || vm.interrupted;
    case 'Once':
      return !vm.everRan;
    default:
      return false;
  }
}

function attached(
  ctx: StepContext,
  vm: PolicyVmState,
  event: Extract<PolicyEvent, { type: 'vm-attached' }>,
): void {
  const known = vm.vmm;
  const newVmm = event.fresh || vm.ended !== null || vm.running === false || event.vmm !== known;
  vm.running = true;
  vm.everRan = true;
  vm.interrupted = false;
  // Somebody started it outside; a daemon that takes a stop up finds it running, too.
  if (vm.act?.verb !== 'stop' && vm.act?.verb !== 'delete') vm.off = null;
  vm.ended = null;
  vm.startupPending = false;
  vm.vmm = event.vmm;
  vm.vmmStartedAtMs = event.startedAtMs;
  vm.attachedAtMs = ctx.now;
  if (event.shares !== undefined) noteShares(ctx, vm, event.shares);
  vm.activity.possible = event.counters ?? false;
  vm.facts.pausedAtMs = null;
  vm.facts.pausedStatus = '';
  vm.facts.migratingAtMs = null;
  vm.facts.processGoneAtMs = null;
  if (vm.action && !vm.action.unresolved) {
    vm.action.sawAttach = true;
    vm.action.sawExit = false;
  }
  if (newVmm) {
    // Where one was started, one can be.
    for (const step of NEW_VMM_STEPS) delete vm.impossible[step];
    const graceMs = vm.spec?.recovery.graceMs ?? 0;
    // Thresholds that the engine restored belong to another VMM; an adopted VM that nobody knew has none to lose.
    const tellEngine = event.fresh || known !== null;
    const bootedAtMs = event.fresh ? ctx.now : event.startedAtMs;
    beginInstance(ctx, vm, bootedAtMs, { graceMs, tellEngine, newVmm: true });
  }
  vm.verifyAll = !event.fresh;
  noteStatus(ctx, vm, event.status, event.fresh);
  const lostGuest = vm.facts.panickedAtMs !== null || vm.facts.watchdogAtMs !== null;
  resolveByLooking(ctx, vm, { running: true, newVmm, lostGuest });
}
