import type { StepContext } from './context.js';
import { LIMITS } from './defaults.js';
import type { HostState, Ticket } from './host-state.js';
import type { PolicyState } from './types.js';
import type { Blocker, PolicyVmState } from './vm-state.js';

/** Takes a place in the queue, or keeps the one it has. */
export function enqueue(ctx: StepContext, vm: PolicyVmState, boots: boolean): void {
  ctx.wantsSlot = true;
  if (vm.ticket !== 0 && vm.ticketBoots === boots) return;
  const { host } = ctx.state;
  host.lastTicket += 1;
  vm.ticket = host.lastTicket;
  vm.ticketBoots = boots;
  const queue = boots ? host.bootQueue : host.mildQueue;
  queue.push({ vm: vm.id, ticket: vm.ticket });
  ctx.queued.add(vm);
  // Places that were given up stay in the line until they come up; they must not pile up while nothing moves.
  if (queue.length > 2 * ctx.state.vms.size + 64) {
    const live = queue.filter((t) => ctx.state.vms.get(t.vm)?.ticket === t.ticket);
    queue.splice(0, queue.length, ...live);
  }
}

function liveHead(state: PolicyState, queue: Ticket[]): Ticket | undefined {
  for (let head = queue[0]; head !== undefined; head = queue[0]) {
    if (state.vms.get(head.vm)?.ticket === head.ticket) return head;
    queue.shift();
  }
  return undefined;
}

function pruneBoots(host: HostState, now: number): void {
  let old = 0;
  while (old < host.boots.length && (host.boots[old] ?? now) <= now - LIMITS.bootWindowMs) old++;
  if (old > 0) host.boots.splice(0, old);
}

/** Another boot is within the host's boots a minute. */
export function canBootNow(ctx: StepContext): boolean {
  pruneBoots(ctx.state.host, ctx.now);
  return ctx.state.host.boots.length < ctx.state.config.maxBootsPerMinute;
}

/**
 * Gives the next free slot to the VM that has waited longest for it, and returns it with the slot reserved. A step
 * that boots no guest may pass those that wait for the boots of this minute to be over.
 */
export function grantSlot(ctx: StepContext): PolicyVmState | undefined {
  const { state } = ctx;
  const { host, config } = state;
  if (host.busy.size >= config.maxConcurrentRecoveries) return undefined;
  const mild = liveHead(state, host.mildQueue);
  const waiting = liveHead(state, host.bootQueue);
  const boot = waiting !== undefined && canBootNow(ctx) ? waiting : undefined;
  const first = mild && boot ? (mild.ticket < boot.ticket ? mild : boot) : (mild ?? boot);
  if (first === undefined) return undefined;
  (first === boot ? host.bootQueue : host.mildQueue).shift();
  const vm = state.vms.get(first.vm);
  if (!vm) return undefined;
  vm.ticket = 0;
  vm.reserved = true;
  host.busy.add(vm.id);
  return vm;
}

/** Gives a slot back. */
export function freeSlot(state: PolicyState, vm: PolicyVmState): void {
  vm.reserved = false;
  state.host.busy.delete(vm.id);
}

/** When the host itself must be looked at: the next boot of this minute, or the end of a hold on all. */
export function hostWakeAt(ctx: StepContext): number | null {
  const { host, config } = ctx.state;
  const times: number[] = [];
  if (host.hold?.untilMs != null) times.push(host.hold.untilMs);
  pruneBoots(host, ctx.now);
  const oldest = host.boots[0];
  const full = host.boots.length >= config.maxBootsPerMinute;
  if (full && oldest !== undefined && liveHead(ctx.state, host.bootQueue))
    times.push(oldest + LIMITS.bootWindowMs);
  return times.length > 0 ? Math.min(...times) : null;
}

/** Why a VM that waits in a queue waits. */
export function queueBlocker(ctx: StepContext, vm: PolicyVmState): Blocker {
  const { host, config } = ctx.state;
  if (host.busy.size >= config.maxConcurrentRecoveries || !vm.ticketBoots) {
    const text = `${host.busy.size} of ${config.maxConcurrentRecoveries} recoveries at once are under way on this host`;
    return { rule: 'host-budget', text, untilMs: null };
  }
  const text = `${config.maxBootsPerMinute} boots a minute on this host are used up`;
  const oldest = host.boots[0];
  return { rule: 'boot-budget', text, untilMs: oldest === undefined ? null : oldest + LIMITS.bootWindowMs };
}
