import type { Assessment } from './assess.js';
import type { StepContext } from './context.js';
import { bounded } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** What is known of the guest's own counters, while they are watched. */
export interface Activity {
  /** The runtime can read counters of this VM. */
  possible: boolean;
  watched: boolean;
  sinceMs: number;
  comparisons: number;
  movedAtMs: number | null;
  /** What moved last. */
  moved: string;
}

export function noActivity(possible: boolean): Activity {
  return { possible, watched: false, sinceMs: 0, comparisons: 0, movedAtMs: null, moved: '' };
}

/** The counters cost a question to the VMM, so they are read only while something is suspected. */
export function syncActivity(ctx: StepContext, vm: PolicyVmState, found: Assessment): void {
  const { activity } = vm;
  const watched = activity.possible && vm.running === true && found.kind === 'suspect';
  if (watched === activity.watched) return;
  vm.activity = { ...noActivity(activity.possible), watched, sinceMs: ctx.now };
  ctx.effects.push({ type: 'watch-activity', vm: vm.id, watch: watched });
}

/** The counters were compared with those before. */
export function noteActivity(vm: PolicyVmState, moved: readonly string[], atMs: number): void {
  const { activity } = vm;
  if (!activity.watched) return;
  activity.comparisons += 1;
  if (moved.length === 0) return;
  activity.movedAtMs = atMs;
  activity.moved = bounded(moved.join(', '));
}
