import type { VmId } from '../model/vm.js';
import { apply } from './apply.js';
import { syncBrake } from './brake.js';
import { newContext, type StepContext } from './context.js';
import { LIMITS } from './defaults.js';
import { evaluate, tellQueued } from './evaluate.js';
import { earlierOf, grantSlot, hostWakeAt, queueBlocker } from './host.js';
import { newHostState } from './host-state.js';
import { forgetOldFailures, syncIncident } from './shared-cause.js';
import type { PolicyConfig, PolicyEvent, PolicyState, StepResult } from './types.js';
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
  const left = lookAtDue(ctx, concerned && concerned !== 'all' ? LIMITS.lookedAtBeside : LIMITS.lookedAt);
  followFleet(ctx);
  lookAtDue(ctx, left);
  for (let granted = grantSlot(ctx); granted; granted = grantSlot(ctx)) evaluate(ctx, granted);
  for (const vm of ctx.queued) if (vm.ticket !== 0) tellQueued(ctx, vm, queueBlocker(ctx, vm));
  const { effects, decisions, looked } = ctx;
  return { state, effects, decisions, looked, wakeAtMs: nextWake(ctx) };
}

/**
 * Looks at VMs whose time has come, so many at most: the others are due in the next step, which is asked for at once.
 * What concerns all VMs of a large host must not hold everything else up; no VM acts before it was looked at. Events of
 * single VMs come by the hundred in one turn of the event loop: few are looked at with one, many with a tick.
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
