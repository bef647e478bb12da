import { NEW_VMM_STEPS } from '../model/action.js';
import { resolveByLooking } from './actions.js';
import { endedByPerson } from './acts.js';
import type { StepContext } from './context.js';
import { endedUnseen, interpretUnseen } from './exits.js';
import { noteStatus } from './facts.js';
import { beginInstance, forget } from './instance.js';
import { noteShares } from './shared-cause.js';
import type { PolicyEvent } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Somebody looked whether its VMM is there. True: something changed. */
export function looked(ctx: StepContext, vm: PolicyVmState, running: boolean): boolean {
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

/** There is a session to its VMM. */
export function attached(
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
