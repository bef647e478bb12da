import type { VmId } from '../model/vm.js';
import { covers, coversAll } from './shared-cause.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Why a VM that is not ready stands in the list of endpoints all the same. */
export type KeptBy = 'fleet-brake' | 'shared-cause' | 'max-eject';

/** `stood`: not ready, and listed until now; `out`: not ready, and not listed. Both run; a VM that is ready may not. */
type Place = 'ready' | 'idle' | 'stood' | 'out';

/** Without a guest that runs nothing can serve: no brake keeps these. */
function serves(vm: PolicyVmState): boolean {
  return (
    vm.running !== false && vm.health !== 'paused' && vm.health !== 'stopped' && vm.health !== 'maintenance'
  );
}

/**
 * Who stands in the list of endpoints. It follows from who stood in it before. Ready VMs do. One that is not ready
 * leaves, unless too many would: while the brake or a shared cause says that the failures have one reason, and beyond
 * `maxEject` (a share of the VMs that run, at least one), who stood in it stays. A load balancer with few endpoints
 * that fail is better than one with none.
 *
 * An update costs as much as the VMs that changed, and those that are listed without being ready: to look at ten thousand
 * takes tens of milliseconds.
 */
export class ReadyList {
  readonly #listed: Set<VmId>;
  readonly #places = new Map<VmId, Place>();
  readonly #stood = new Set<VmId>();
  /** VMs that run, and those of them that are out. */
  #running = 0;
  #out = 0;

  /** `before`: who was listed by a former run. */
  constructor(before: Iterable<VmId>) {
    this.#listed = new Set(before);
  }

  /** Who stands in it since the last update. */
  get listed(): ReadonlySet<VmId> {
    return this.#listed;
  }

  /** Brings it up to date: `looked` are all VMs that may have changed since the last update. Returns who came or left. */
  update(state: PolicyState, looked: Iterable<VmId>): readonly VmId[] {
    const others: VmId[] = [];
    for (const id of looked) {
      const wasListed = this.#listed.has(id);
      this.#place(id, placeOf(state.vms.get(id), wasListed));
      if (this.#listed.has(id) !== wasListed) others.push(id);
    }
    others.push(...this.#letGo(state));
    return others;
  }

  /** Why the VM is listed although it is not ready; null: it is ready, or not listed. */
  keptBy(state: PolicyState, id: VmId): KeptBy | null {
    const vm = this.#stood.has(id) ? state.vms.get(id) : undefined;
    return vm === undefined ? null : (heldBy(state, vm) ?? 'max-eject');
  }

  #place(id: VmId, place: Place | undefined): void {
    this.#count(this.#places.get(id), -1);
    this.#count(place, 1);
    if (place === undefined) this.#places.delete(id);
    else this.#places.set(id, place);
    if (place === 'stood') this.#stood.add(id);
    else this.#stood.delete(id);
    if (place === undefined || place === 'out') this.#listed.delete(id);
    else this.#listed.add(id);
  }

  #count(place: Place | undefined, by: 1 | -1): void {
    if (place !== undefined && place !== 'idle') this.#running += by;
    if (place === 'out') this.#out += by;
  }

  /** Of those that are not ready, lets go of as many as may leave: who failed first leaves first. */
  #letGo(state: PolicyState): readonly VmId[] {
    if (this.#stood.size === 0 || holdsAll(state)) return [];
    const left: PolicyVmState[] = [];
    for (const id of this.#stood) {
      const vm = state.vms.get(id);
      if (vm !== undefined && heldBy(state, vm) === null) left.push(vm);
    }
    const most = Math.max(1, Math.floor(state.config.maxEject * this.#running)) - this.#out;
    if (left.length > most) left.sort((a, b) => a.healthSinceMs - b.healthSinceMs);
    const leaving = left.slice(0, Math.max(0, most)).map(({ id }) => id);
    for (const id of leaving) this.#place(id, 'out');
    return leaving;
  }
}

function placeOf(vm: PolicyVmState | undefined, wasListed: boolean): Place | undefined {
  if (vm === undefined || vm.spec === null) return undefined;
  if (vm.ready) return serves(vm) ? 'ready' : 'idle';
  if (!serves(vm)) return undefined;
  // Those that are out stay out.
  return wasListed ? 'stood' : 'out';
}

function heldBy(state: PolicyState, vm: PolicyVmState): KeptBy | null {
  const { brake, incident } = state.host;
  if (brake !== null) return 'fleet-brake';
  return incident !== null && covers(incident, vm) ? 'shared-cause' : null;
}

/** Whatever a VM shares with others, it keeps its place. */
function holdsAll({ host }: PolicyState): boolean {
  return host.brake !== null || (host.incident !== null && coversAll(host.incident));
}
