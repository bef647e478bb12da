import type { VmId } from '../model/vm.js';
import { covers } from './shared-cause.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Why a VM that is not ready stands in the list of endpoints all the same. */
export type KeptBy = 'fleet-brake' | 'shared-cause' | 'max-eject';

/** The list of endpoints. */
export interface ReadyList {
  readonly listed: ReadonlySet<VmId>;
  /** Those in it that are not ready. */
  readonly kept: ReadonlyMap<VmId, KeptBy>;
}

/** Without a guest that runs nothing can serve: no brake keeps these. */
function serves(vm: PolicyVmState): boolean {
  return (
    vm.running !== false && vm.health !== 'paused' && vm.health !== 'stopped' && vm.health !== 'maintenance'
  );
}

/**
 * Who stands in the list of endpoints, given who stood in it before (`before`). Ready VMs do. One that is not ready
 * leaves, unless too many would: while the brake or a shared cause says that the failures have one reason, and beyond
 * `maxEject` (a share of the VMs that run, at least one), who stood in it stays. A load balancer with few endpoints
 * that fail is better than one with none.
 */
export function listReady(state: PolicyState, before: ReadonlySet<VmId>): ReadyList {
  const added: VmId[] = [];
  const stood: PolicyVmState[] = [];
  const gone: VmId[] = [];
  let [running, out, known] = [0, 0, 0];
  for (const vm of state.vms.values()) {
    const { id, spec, ready } = vm;
    const wasListed = before.has(id);
    if (wasListed) known += 1;
    const runs = spec !== null && serves(vm);
    if (runs) running += 1;
    if (spec !== null && ready) {
      if (!wasListed) added.push(id);
    } else if (runs && wasListed) stood.push(vm);
    else if (wasListed) gone.push(id);
    // Those that are out stay out.
    else if (runs) out += 1;
  }
  const kept = keep(state, stood, Math.max(1, Math.floor(state.config.maxEject * running)) - out);
  for (const { id } of stood) if (!kept.has(id)) gone.push(id);
  // Of a large host hardly any VM changes its place: no list is made anew for that.
  if (added.length === 0 && gone.length === 0 && known === before.size) return { listed: before, kept };
  const listed = new Set(before);
  for (const id of gone) listed.delete(id);
  for (const id of added) listed.add(id);
  if (known < before.size) for (const id of before) if (!state.vms.has(id)) listed.delete(id);
  return { listed, kept };
}

/**
 * Why a VM keeps the place that it has in the list `before`; null: it is ready, or not listed. Undefined: its place may
 * be another one now, which only the whole list tells.
 */
export function keepsPlace(
  state: PolicyState,
  id: VmId,
  before: ReadonlySet<VmId>,
): KeptBy | null | undefined {
  const vm = state.vms.get(id);
  if (vm === undefined || vm.spec === null) return undefined;
  if (vm.ready === before.has(id)) return null;
  return !vm.ready && serves(vm) ? (heldBy(state, vm) ?? undefined) : undefined;
}

/** Those who keep their place, given how many may lose it: who failed first leaves first. */
function keep(
  state: PolicyState,
  stood: readonly PolicyVmState[],
  mayLeave: number,
): ReadonlyMap<VmId, KeptBy> {
  const kept = new Map<VmId, KeptBy>();
  const left: PolicyVmState[] = [];
  for (const vm of stood) {
    const keptBy = heldBy(state, vm);
    if (keptBy === null) left.push(vm);
    else kept.set(vm.id, keptBy);
  }
  if (left.length <= mayLeave) return kept;
  left.sort((a, b) => a.healthSinceMs - b.healthSinceMs);
  for (const { id } of left.slice(Math.max(0, mayLeave))) kept.set(id, 'max-eject');
  return kept;
}

function heldBy(state: PolicyState, vm: PolicyVmState): KeptBy | null {
  const { brake, incident } = state.host;
  if (brake !== null) return 'fleet-brake';
  return incident !== null && covers(incident, vm) ? 'shared-cause' : null;
}
