import type { Blocker } from './blockers.js';
import { brakeWakeAt } from './brake.js';
import type { StepContext } from './context.js';
import { LIMITS } from './defaults.js';
import { type HostState, type Line, maxEntries, type Ticket } from './host-state.js';
import { incidentWakeAt } from './shared-cause.js';
import type { PolicyConfig, PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Takes a place in the line, or keeps the one it has. */
export function enqueue(ctx: StepContext, vm: PolicyVmState, line: Line): void {
  ctx.wantsSlot = true;
  if (vm.ticket !== 0 && vm.line === line) return;
  const { host } = ctx.state;
  host.lastTicket += 1;
  vm.ticket = host.lastTicket;
  vm.line = line;
  const queue = host.queues[line];
  insert(queue, {
    vm: vm.id,
    ticket: vm.ticket,
    priority: line === 'start' ? (vm.spec?.recovery.startPriority ?? 0) : 0,
  });
  ctx.queued.push(vm);
  trimQueues(ctx.state);
}

/** Places that were given up stay in the line until they come up; they must not pile up while nothing moves. */
export function trimQueues(state: PolicyState): void {
  const { queues } = state.host;
  for (const line of LINES) {
    if (queues[line].length <= maxEntries(state)) continue;
    queues[line] = queues[line].filter((t) => state.vms.get(t.vm)?.ticket === t.ticket);
  }
}

/** Behind all of its priority. */
function insert(queue: Ticket[], ticket: Ticket): void {
  let at = queue.length;
  while (at > 0 && (queue[at - 1]?.priority ?? 0) < ticket.priority) at--;
  queue.splice(at, 0, ticket);
}

const LINES: readonly Line[] = ['mild', 'boot', 'start'];

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

/** When the next boot may begin: within the host's boots a minute, and apart from the last while it is pressed. */
export function nextBootAtMs(ctx: StepContext): number {
  const { host, config } = ctx.state;
  pruneBoots(host, ctx.now);
  const oldest = host.boots[host.boots.length - config.maxBootsPerMinute];
  const byMinute = oldest === undefined ? ctx.now : oldest + LIMITS.bootWindowMs;
  const last = host.boots.at(-1);
  const spaced = host.signs.pressure !== null && last !== undefined;
  return Math.max(ctx.now, byMinute, spaced ? last + LIMITS.pressedBootGapMs : 0);
}

/** Another boot may begin now. */
export function canBootNow(ctx: StepContext): boolean {
  return nextBootAtMs(ctx) <= ctx.now;
}

/** Recoveries at once: one while the host is pressed. */
function maxAtOnce(state: PolicyState): number {
  return state.host.signs.pressure === null ? state.config.maxConcurrentRecoveries : 1;
}

/**
 * Gives the next free slot to the VM that has waited longest for it, and returns it with the slot reserved. A step
 * that boots no guest may pass those that wait for the boots of this minute to be over; VMs that failed come before
 * those that were not started yet.
 */
export function grantSlot(ctx: StepContext): PolicyVmState | undefined {
  const { state } = ctx;
  const { host } = state;
  if (host.busy.size >= maxAtOnce(state)) return undefined;
  const mild = liveHead(state, host.queues.mild);
  const line = mild ? earlier(ctx, mild) : bootLine(ctx);
  if (line === undefined) return undefined;
  const first = host.queues[line].shift();
  const vm = first && state.vms.get(first.vm);
  if (!vm) return undefined;
  vm.ticket = 0;
  vm.reserved = true;
  host.busy.add(vm.id);
  host.former.slots = 0;
  return vm;
}

/** The mild step, or a boot that failed before it. */
function earlier(ctx: StepContext, mild: Ticket): Line {
  const boot = liveHead(ctx.state, ctx.state.host.queues.boot);
  return boot && boot.ticket < mild.ticket && canBootNow(ctx) ? 'boot' : 'mild';
}

function bootLine(ctx: StepContext): Line | undefined {
  const { queues, gathering } = ctx.state.host;
  if (!canBootNow(ctx)) return undefined;
  if (liveHead(ctx.state, queues.boot)) return 'boot';
  return !gathering && liveHead(ctx.state, queues.start) ? 'start' : undefined;
}

/** Takes other limits: what has a slot keeps it, and boots of the last minute count as ever. */
export function noteLimits({ state, now }: StepContext, limits: PolicyConfig): void {
  state.config = limits;
  state.host.former = { slots: state.host.busy.size, bootsUntilMs: now };
}

/** Gives a slot back. */
export function freeSlot(state: PolicyState, vm: PolicyVmState): void {
  vm.reserved = false;
  state.host.busy.delete(vm.id);
}

/** When the host itself must be looked at: the next boot, the end of a hold on all, the brake. */
export function hostWakeAt(ctx: StepContext): number | null {
  const { host } = ctx.state;
  const holdAtMs = host.hold?.untilMs ?? null;
  return earlierOf(earlierOf(holdAtMs, bootWakeAt(ctx)), earlierOf(brakeWakeAt(ctx), incidentWakeAt(ctx)));
}

function bootWakeAt(ctx: StepContext): number | null {
  const { queues } = ctx.state.host;
  pruneBoots(ctx.state.host, ctx.now);
  if (!liveHead(ctx.state, queues.boot) && !liveHead(ctx.state, queues.start)) return null;
  const atMs = nextBootAtMs(ctx);
  return atMs > ctx.now ? atMs : null;
}

/** Null: never. */
export function earlierOf(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** Why a VM that waits in a queue waits. */
export function queueBlocker(ctx: StepContext, vm: PolicyVmState): Blocker {
  const { host, config } = ctx.state;
  if (vm.line === 'start' && host.gathering) {
    const text = 'all VMs are looked at before the first is started, for their order';
    return { rule: 'start-order', text, untilMs: null };
  }
  const atOnce = maxAtOnce(ctx.state);
  const { pressure } = host.signs;
  if (host.busy.size >= atOnce || vm.line === 'mild') {
    const why = pressure === null ? '' : ` while the host is under pressure (${pressure})`;
    const text = `${host.busy.size} of ${atOnce} recoveries at once are under way on this host${why}`;
    return { rule: pressure === null ? 'host-budget' : 'host-pressure', text, untilMs: null };
  }
  const untilMs = nextBootAtMs(ctx);
  if (host.boots.length < config.maxBootsPerMinute) {
    return { rule: 'host-pressure', text: `boots are spread: ${pressure ?? 'no pressure'}`, untilMs };
  }
  return {
    rule: 'boot-budget',
    text: `${config.maxBootsPerMinute} boots a minute on this host are used up`,
    untilMs,
  };
}
