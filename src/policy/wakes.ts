import type { StepContext } from './context.js';
import { type HostState, maxEntries, type Wake } from './host-state.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Sets when the VM wants to be looked at again. Older entries of it in the heap become stale. */
export function setWake(state: PolicyState, vm: PolicyVmState, atMs: number | null): void {
  if (vm.wakeAtMs === atMs) return;
  vm.wakeAtMs = atMs;
  if (atMs === null) return;
  push(state.host.wakes, { atMs, vm: vm.id });
  trimWakes(state);
}

/** The VM is looked at in this step, or in the next. */
export function wakeNow(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.wakeAtMs === null || vm.wakeAtMs > ctx.now) setWake(ctx.state, vm, ctx.now);
}

/** Sweeps what became stale, once it is too much. */
export function trimWakes(state: PolicyState): void {
  if (state.host.wakes.length > maxEntries(state)) rebuildWakes(state);
}

/** The earliest wake of any VM, or null. */
export function earliestWake(state: PolicyState): number | null {
  const { wakes } = state.host;
  for (let top = wakes[0]; top !== undefined; top = wakes[0]) {
    if (state.vms.get(top.vm)?.wakeAtMs === top.atMs) return top.atMs;
    pop(wakes);
  }
  return null;
}

/** Takes the next VM whose time has come; undefined when there is none. */
export function takeDue(state: PolicyState, now: number): PolicyVmState | undefined {
  const atMs = earliestWake(state);
  if (atMs === null || atMs > now) return undefined;
  const wake = pop(state.host.wakes);
  const vm = wake && state.vms.get(wake.vm);
  if (vm) vm.wakeAtMs = null;
  return vm;
}

/** The heap from the wakes that the VMs hold. */
function rebuildWakes(state: PolicyState): void {
  const host: HostState = state.host;
  host.wakes = [];
  for (const vm of state.vms.values()) {
    if (vm.wakeAtMs !== null) push(host.wakes, { atMs: vm.wakeAtMs, vm: vm.id });
  }
}

/** By time; of the same time by VM, so that the order does not depend on how the heap came about. */
function before(a: Wake, b: Wake): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.vm < b.vm);
}

function push(heap: Wake[], wake: Wake): void {
  let i = heap.length;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !before(wake, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = wake;
}

function pop(heap: Wake[]): Wake | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    const left = heap[child];
    const right = heap[child + 1];
    if (left !== undefined && right !== undefined && before(right, left)) child++;
    const smaller = heap[child];
    if (smaller === undefined || !before(smaller, last)) break;
    heap[i] = smaller;
    i = child;
  }
  heap[i] = last;
  return top;
}
