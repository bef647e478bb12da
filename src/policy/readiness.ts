import type { VmId } from '../model/vm.js';
import { covers } from './shared-cause.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Why a VM that is not ready stands in the list of endpoints all the same. */
export type KeptBy = 'fleet-brake' | 'shared-cause' | 'max-eject';

/** The place of one VM in the list of endpoints. */
export interface Listing {
  readonly vm: VmId;
  readonly listed: boolean;
  /** Null: it is ready, or not listed. */
  readonly keptBy: KeptBy | null;
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
export function listReady(state: PolicyState, before: ReadonlySet<VmId>): Listing[] {
  const vms = [...state.vms.values()].filter((vm) => vm.spec !== null);
  const out = vms.filter((vm) => !vm.ready);
  const running = vms.filter(serves).length;
  // Those that are out stay out; who failed first leaves first.
  const unready = out.filter(serves).sort((a, b) => leaving(a, before) - leaving(b, before));
  let mayLeave = Math.max(1, Math.floor(state.config.maxEject * running));
  const kept = new Map<VmId, KeptBy>();
  for (const vm of unready) {
    if (before.has(vm.id)) {
      const keptBy = heldBy(state, vm) ?? (mayLeave <= 0 ? 'max-eject' : null);
      if (keptBy !== null) {
        kept.set(vm.id, keptBy);
        continue;
      }
    }
    mayLeave -= 1;
  }
  return vms.map(({ id, ready }) => {
    const keptBy = kept.get(id) ?? null;
    return { vm: id, listed: ready || keptBy !== null, keptBy };
  });
}

function leaving(vm: PolicyVmState, before: ReadonlySet<VmId>): number {
  return before.has(vm.id) ? vm.healthSinceMs : Number.NEGATIVE_INFINITY;
}

function heldBy(state: PolicyState, vm: PolicyVmState): KeptBy | null {
  const { brake, incident } = state.host;
  if (brake !== null) return 'fleet-brake';
  return incident !== null && covers(incident, vm) ? 'shared-cause' : null;
}
