import type { StepContext } from './context.js';
import { countInFleet } from './fleet.js';
import { trimQueues } from './host.js';
import type { PolicyVmState } from './vm-state.js';
import { trimWakes } from './wakes.js';

/** Forgets a VM for good, and with it its place in everything that is bounded by the number of VMs. */
export function forgetVm(ctx: StepContext, vm: PolicyVmState): void {
  vm.spec = null;
  countInFleet(ctx, vm);
  ctx.state.vms.delete(vm.id);
  ctx.looked.push(vm.id);
  trimQueues(ctx.state);
  trimWakes(ctx.state);
}
