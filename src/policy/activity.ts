import type { Assessment } from './assess.js';
import { type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { guestSeen, inGrace } from './signals.js';
import { bounded, utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** The counter of what the guest wrote to its console. */
const CONSOLE = 'console';

/** What is known of the guest's own counters, while they are watched. */
export interface Activity {
  /** The runtime can read counters of this VM. */
  possible: boolean;
  watched: boolean;
  sinceMs: number;
  comparisons: number;
  movedAtMs: number | null;
  /** Something moved, the console included. */
  bootMovedAtMs: number | null;
  /** What moved last. */
  moved: string;
}

export function noActivity(possible: boolean): Activity {
  return {
    possible,
    watched: false,
    sinceMs: 0,
    comparisons: 0,
    movedAtMs: null,
    bootMovedAtMs: null,
    moved: '',
  };
}

/** The counters cost a question to the VMM, so they are read only while something is suspected. */
export function syncActivity(ctx: StepContext, vm: PolicyVmState, found: Assessment): void {
  const { activity } = vm;
  const wanted = found.kind === 'suspect' || inGrace(vm, ctx.now);
  const watched = activity.possible && vm.running === true && wanted;
  if (watched === activity.watched) return;
  vm.activity = { ...noActivity(activity.possible), watched, sinceMs: ctx.now };
  ctx.effects.push({ type: 'watch-activity', vm: vm.id, watch: watched });
}

/**
 * Grace that is about to end goes on while the boot moves (a file system is checked, updates are installed) and nobody
 * in the guest has answered yet, bounded by `graceMaxMs` after the boot began.
 */
export function extendGrace(ctx: StepContext, vm: PolicyVmState): void {
  const { now } = ctx;
  const { bootMovedAtMs } = vm.activity;
  if (vm.graceUntilMs === null || vm.graceUntilMs > now || !vm.spec || bootMovedAtMs === null) return;
  const movesUntilMs = bootMovedAtMs + LIMITS.bootMovesMs;
  const untilMs = Math.min(movesUntilMs, vm.instanceAtMs + vm.spec.recovery.graceMaxMs);
  // Once somebody in the guest has answered, it is up, and what fails then fails.
  if (untilMs <= now || guestSeen(vm)) return;
  const first = vm.graceUntilMs <= vm.instanceAtMs + vm.spec.recovery.graceMs;
  vm.graceUntilMs = untilMs;
  if (!first) return;
  const text = `the boot still moves: grace goes on while it does, until ${utc(vm.instanceAtMs + vm.spec.recovery.graceMaxMs)} at the latest`;
  say(ctx, { vm, kind: 'note', rule: 'grace', text });
}

/**
 * The counters were compared with those before. True: something follows from it. That what moved moves on does not: it
 * only prolongs the veto and the grace that are there, which is seen when their time comes.
 */
export function noteActivity(vm: PolicyVmState, moved: readonly string[], atMs: number): boolean {
  const { activity } = vm;
  if (!activity.watched) return false;
  const { comparisons, movedAtMs, bootMovedAtMs, moved: movedBefore } = activity;
  activity.comparisons += 1;
  if (moved.length > 0) activity.bootMovedAtMs = atMs;
  noteOwn(activity, moved, atMs);
  return (
    comparisons === 0 ||
    (movedAtMs === null) !== (activity.movedAtMs === null) ||
    (bootMovedAtMs === null) !== (activity.bootMovedAtMs === null) ||
    movedBefore !== activity.moved
  );
}

function noteOwn(activity: Activity, moved: readonly string[], atMs: number): void {
  // A console says that a boot goes on, not that a guest lives: a panic may be written to it for ever.
  const own = moved.filter((name) => name !== CONSOLE);
  if (own.length === 0) return;
  activity.movedAtMs = atMs;
  activity.moved = bounded(own.join(', '));
}
