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
  const stood: PolicyVmState[] = [];
  let running = 0;
  let out = 0;
  for (const vm of state.vms.values()) {
    if (vm.spec === null || !serves(vm)) continue;
    running += 1;
    if (vm.ready) continue;
    // Those that are out stay out.
    if (before.has(vm.id)) stood.push(vm);
    else out += 1;
  }
  const kept = keep(state, stood, Math.max(1, Math.floor(state.config.maxEject * running)) - out);
  const listed = new Set<VmId>();
  for (const vm of state.vms.values()) {
    if (vm.spec !== null && (vm.ready || kept.has(vm.id))) listed.add(vm.id);
  }
  return { listed, kept };
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
