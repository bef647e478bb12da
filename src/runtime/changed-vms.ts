import type { VmId } from '../model/vm.js';

/** However well changes are told: one that was not shows for so long at most, ms. */
const ALL_EVERY_MS = 60_000;

/** VMs that may be shown otherwise than when it was asked last, so that a scrape of a large host looks at few. */
export class ChangedVms {
  /** Undefined: all. */
  #vms: Set<VmId> | undefined;
  #allAtMs = 0;

  add(vms: Iterable<VmId>): void {
    for (const vm of vms) this.#vms?.add(vm);
  }

  addAll(): void {
    this.#vms = undefined;
  }

  /** Undefined: any may have changed, come or gone. `nowMs`: of a clock that nobody sets. */
  take(nowMs: number): ReadonlySet<VmId> | undefined {
    const vms = nowMs >= this.#allAtMs ? undefined : this.#vms;
    this.#vms = new Set();
    if (vms === undefined) this.#allAtMs = nowMs + ALL_EVERY_MS;
    return vms;
  }
}
