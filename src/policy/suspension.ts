import type { Blocker } from './blockers.js';
import { escalate, type StepContext, wakeAt } from './context.js';
import { span, utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** What a person or a tool does with a VM that stands still, by the run state that its VMM names. */
const WHY_STILL: Readonly<Record<string, string>> = {
  paused: 'paused by a person or a tool',
  debug: 'stopped in a debugger',
  inmigrate: 'waiting for the guest to come from another host',
  'finish-migrate': 'being moved to another host',
  postmigrate: 'moved to another host',
  colo: 'kept in step with another host',
  'save-vm': 'being saved',
  'restore-vm': 'being restored from a snapshot',
  prelaunch: 'not let run yet',
  shutdown: 'shut down, its VMM stays',
  suspended: 'suspended by its guest',
};

/** Run states in which somebody has stopped the guest on purpose. */
export function isStill(status: string): boolean {
  return Object.hasOwn(WHY_STILL, status);
}

export function whyStill(vm: PolicyVmState): string {
  const { pausedStatus, pausedAtMs } = vm.facts;
  const why = Object.hasOwn(WHY_STILL, pausedStatus) ? WHY_STILL[pausedStatus] : undefined;
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
