import type { SCHEDULABLE } from '../model/action.js';
import type { VmId } from '../model/vm.js';
import { type Blocker, blockersOf } from './blockers.js';
import { type StepContext, say } from './context.js';
import { idleBecause, inertBecause } from './mode.js';
import { request } from './plan.js';
import type { Rule } from './rules.js';
import { bounded, evidence, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';
import { blocked } from './waits.js';
import { nextOpenMs } from './windows.js';

export interface Scheduled {
  readonly step: (typeof SCHEDULABLE)[number];
  readonly author: string;
  readonly reason: string;
  readonly sinceMs: number;
}

/** A person schedules maintenance; the newest counts. */
export function noteSchedule(
  ctx: StepContext,
  vm: PolicyVmState,
  event: { readonly step: Scheduled['step']; readonly author: string; readonly reason: string },
): void {
  const { step } = event;
  vm.scheduled = { step, author: bounded(event.author), reason: bounded(event.reason), sinceMs: ctx.now };
  const openMs = nextOpenMs(vm.spec?.recovery.actionWindows ?? [], ctx.now);
  const when = openMs <= ctx.now ? 'now' : `not before ${utc(openMs)}`;
  const text = `${vm.scheduled.author} scheduled ${step}, ${when}: ${vm.scheduled.reason}`;
  say(ctx, { vm, kind: 'note', rule: 'scheduled', text });
}

/** Carries scheduled maintenance out on a VM that is well, within its windows and while nothing holds. */
export function followSchedule(ctx: StepContext, vm: PolicyVmState): void {
  const { scheduled } = vm;
  if (!scheduled || !vm.spec) return;
  const { step, author, reason } = scheduled;
  const blockers = [
    ...windowBlocker(vm, ctx.now),
    ...brakeBlocker(ctx.state),
    ...blockersOf(ctx.state, vm, step, null, ctx.now),
  ];
  const inert = inertBecause(vm);
  if (inert) blockers.unshift(inert);
  if (!vm.spec.steps.includes(step)) {
    blockers.push({ rule: 'ladder-exhausted', text: `its driver does not support ${step}`, untilMs: null });
  }
  if (blockers.length > 0) {
    blocked(ctx, vm, step, blockers);
    return;
  }
  const text = `scheduled by ${author}: ${reason}`;
  const list = [evidence(scheduled.sinceMs, 'operator', text)];
  request(ctx, vm, step, { kind: 'intended', cause: 'scheduled', evidence: list }, false);
}

/**
 * Why recurring maintenance of a VM cannot begin now, nothing: it can. `step`: what it is like, for the rules of the VM. It
 * begins on a VM that is well and of which nobody wants anything else.
 */
export function maintenanceBlockers(
  state: PolicyState,
  id: VmId,
  step: Scheduled['step'],
  now: number,
): readonly Blocker[] {
  const vm = state.vms.get(id);
  if (!vm?.spec)
    return [{ rule: 'not-looked', text: 'nobody has looked yet whether it runs', untilMs: null }];
  const idle = idleBecause(vm);
  const list = [
    ...(idle ? [idle] : []),
    ...windowBlocker(vm, now),
    ...brakeBlocker(state),
    ...blockersOf(state, vm, step, null, now),
  ];
  const add = (rule: Rule, text: string) => list.push({ rule, text, untilMs: null });
  if (vm.maintenance) add('maintenance', `${vm.maintenance.author} works on it: ${vm.maintenance.reason}`);
  if (vm.quarantine) add('quarantine', vm.quarantine.text);
  if (vm.war.pausedAtMs !== null) add('edit-war', 'others undo what we do');
  if (vm.scheduled) add('scheduled', `${vm.scheduled.author} scheduled ${vm.scheduled.step}`);
  if (vm.action) add('action-held', `${vm.action.action.step} is being carried out`);
  if (vm.health !== 'healthy' || vm.episode !== null) add('health', `it is ${vm.health}`);
  return list;
}

function windowBlocker(vm: PolicyVmState, now: number): Blocker[] {
  const openMs = nextOpenMs(vm.spec?.recovery.actionWindows ?? [], now);
  // A window that never opens is one that nobody can wait for.
  if (!Number.isFinite(openMs))
    return [{ rule: 'action-window', text: 'none of its windows ever opens', untilMs: null }];
  if (openMs <= now) return [];
  return [{ rule: 'action-window', text: 'scheduled maintenance waits for its window', untilMs: openMs }];
}

/** What is not urgent is not done to a fleet of which a large part fails. */
function brakeBlocker(state: PolicyState): Blocker[] {
  if (state.host.brake === null) return [];
  return [{ rule: 'fleet-brake', text: 'too many VMs fail at once', untilMs: null }];
}
