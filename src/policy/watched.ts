import type { StepContext } from './context.js';
import { close } from './episode.js';
import { forgetVm } from './forget-vm.js';
import { freeSlot } from './host.js';
import { configureProbes, forget } from './instance.js';
import { forceReconcile } from './mode.js';
import type { PolicyEvent } from './types.js';
import { newVmState, type PolicyVmState } from './vm-state.js';

/** It is watched from now on, or its configuration changed. */
export function configured(
  ctx: StepContext,
  { vm: spec, recounted = [] }: Extract<PolicyEvent, { type: 'vm-configured' }>,
): PolicyVmState {
  const known = ctx.state.vms.has(spec.id);
  let vm = ctx.state.vms.get(spec.id);
  if (!vm) {
    vm = newVmState(spec.id, ctx.now);
    ctx.state.vms.set(spec.id, vm);
  }
  vm.spec = spec;
  vm.removedAtMs = null;
  configureProbes(vm, spec.probes, new Set(recounted));
  vm.impossible = {};
  if (spec.forceReconcile !== undefined && spec.forceReconcile !== vm.forced) {
    vm.forced = spec.forceReconcile;
    if (known) forceReconcile(ctx, vm);
  }
  return vm;
}

/** No longer watched; nothing is stopped. Budgets, quarantine and holds are remembered for a day. */
export function removed(ctx: StepContext, vm: PolicyVmState): void {
  const isDeleted = vm.act?.verb === 'delete';
  vm.act = null;
  vm.spec = null;
  vm.removedAtMs = ctx.now;
  close(ctx, vm, 'intended');
  forget(vm);
  vm.running = null;
  vm.probes = new Map();
  vm.suspended = false;
  vm.startupPending = false;
  if (vm.reserved) freeSlot(ctx.state, vm);
  // Nobody will look any more at what became of it.
  if (vm.action?.unresolved) vm.action = null;
  const { budget } = vm;
  const worthIt =
    vm.quarantine ||
    vm.hold ||
    vm.maintenance ||
    budget.consecutive > 0 ||
    budget.rolling.length > 0 ||
    vm.ended;
  if (isDeleted || (!worthIt && !vm.action)) forgetVm(ctx, vm);
}
