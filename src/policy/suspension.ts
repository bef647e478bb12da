import { isStoppedOnPurpose, whyStanding } from '../model/run-state.js';
import type { Blocker } from './blockers.js';
import { escalate, type StepContext, wakeAt } from './context.js';
import { span, utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

export function whyStill(vm: PolicyVmState): string {
  const { pausedStatus, pausedAtMs } = vm.facts;
  const why = isStoppedOnPurpose(pausedStatus) ? whyStanding(pausedStatus) : undefined;
  const since = pausedAtMs === null ? '' : ` since ${utc(pausedAtMs)}`;
  return `${why ?? 'paused'}${since}`;
}

/** While it is moved or saved nothing is done to it, whatever its probes say meanwhile. */
export function migrationBlocker(vm: PolicyVmState): Blocker | null {
  const { migratingAtMs } = vm.facts;
  if (migratingAtMs === null) return null;
  return { rule: 'suspended', text: `being moved or saved since ${utc(migratingAtMs)}`, untilMs: null };
}

/** Others may have forgotten what they began: people are told, nothing else is done. */
export function tellLongSuspension(ctx: StepContext, vm: PolicyVmState, still: boolean): void {
  const { pausedAtMs, migratingAtMs } = vm.facts;
  const sinceMs = vm.running === true ? (still ? pausedAtMs : migratingAtMs) : null;
  if (sinceMs === null || vm.spec === null || vm.maintenance) return;
  const maxMs = vm.spec.recovery.suspendedMaxMs;
  if (ctx.now < sinceMs + maxMs) {
    wakeAt(ctx, sinceMs + maxMs);
    return;
  }
  const what = still ? whyStill(vm) : 'being moved or saved';
  const text = `${vm.id}: ${what}, for longer than ${span(maxMs)}; whoever did it may have forgotten it`;
  escalate(ctx, vm, 'suspended', text, `suspended/${sinceMs}`);
}
