import { nextCronMs } from '../../config/cron.js';
import type { MaintenanceEntry } from '../../model/maintenance.js';
import type { VmId, VmSpec } from '../../model/vm.js';

/** One entry of one VM, and where it stands. */
export interface Slot {
  readonly key: string;
  readonly vm: VmId;
  readonly entry: MaintenanceEntry;
  nextAtMs: number | null;
  /** Due since then and not begun; null: it waits for nothing. */
  dueAtMs: number | null;
  /** What it waits for. */
  why: string | null;
  /** Rules that a person was already told it waits for. */
  readonly told: Set<string>;
  running: boolean;
}

/** When each entry of each VM is due. What was due before an entry came is not made up for. */
export class Slots {
  #slots: ReadonlyMap<string, Slot> = new Map();

  /** In the order of VM and name. */
  get all(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  /** Those that are due, longest first. */
  get waiting(): readonly Slot[] {
    return this.all
      .filter(({ dueAtMs }) => dueAtMs !== null)
      .sort((a, b) => (a.dueAtMs ?? 0) - (b.dueAtMs ?? 0));
  }

  /** Takes what is configured now; an entry that did not change keeps its place. */
  sync(vms: Iterable<VmSpec>, now: number): void {
    const slots = [...vms].flatMap((vm) =>
      (vm.maintenance ?? []).map((entry) => {
        const key = `${vm.id}/${entry.name}`;
        const former = this.#slots.get(key);
        return former && JSON.stringify(former.entry) === JSON.stringify(entry)
          ? former
          : newSlot(key, vm.id, entry, now);
      }),
    );
    this.#slots = new Map(slots.sort((a, b) => (a.key < b.key ? -1 : 1)).map((slot) => [slot.key, slot]));
  }

  /** Notes what has come up; gives those of which the former run is not over, so that this one is left out. */
  comeUp(now: number): readonly Slot[] {
    const come = this.all.filter(({ nextAtMs }) => nextAtMs !== null && nextAtMs <= now);
    const over = come.filter(({ running, dueAtMs }) => running || dueAtMs !== null);
    for (const slot of come) {
      if (!over.includes(slot)) slot.dueAtMs = slot.nextAtMs;
      slot.nextAtMs = nextCronMs(slot.entry.schedule, now);
    }
    return over;
  }

  /** When the next one comes up; infinite: none does. */
  nextMs(): number {
    return Math.min(...this.all.map(({ nextAtMs }) => nextAtMs ?? Number.POSITIVE_INFINITY));
  }
}

function newSlot(key: string, vm: VmId, entry: MaintenanceEntry, now: number): Slot {
  const nextAtMs = nextCronMs(entry.schedule, now);
  return { key, vm, entry, nextAtMs, dueAtMs: null, why: null, told: new Set(), running: false };
}
