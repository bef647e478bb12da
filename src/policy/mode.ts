import type { Blocker } from './blockers.js';
import { type StepContext, say } from './context.js';
import { endWar } from './edit-war.js';
import type { PolicyVmState } from './vm-state.js';

/** Why automation does nothing to the VM by itself, whatever it looks like; null: it acts. */
export function idleBecause(vm: PolicyVmState): Blocker | null {
  const mode = vm.spec?.mode;
  if (mode?.kind === 'unmanaged') return { rule: 'unmanaged', text: mode.reason, untilMs: null };
  return inertBecause(vm);
}

/** Why nothing at all is done to the VM, also what a person scheduled. */
export function inertBecause(vm: PolicyVmState): Blocker | null {
  const mode = vm.spec?.mode;
  if (mode?.kind === 'paused') return { rule: 'reconcile-paused', text: mode.reason, untilMs: null };
  if (vm.spec?.recovery.enabled) return null;
  return { rule: 'observe-only', text: 'recovery is not enabled for this VM', untilMs: null };
}

/** What only waits is tried again at once. Budgets, quarantine, and what persons want stay as they are. */
export function forceReconcile(ctx: StepContext, vm: PolicyVmState): void {
  vm.actionHeld = null;
  vm.confirmRetryAtMs = 0;
  vm.verifyRetryAtMs = 0;
  endWar(ctx, vm, 'its annotation asks for it');
  const text = 'its annotation asks for it: what only waits is tried again at once';
  say(ctx, { vm, kind: 'note', rule: 'force-reconcile', text });
}
