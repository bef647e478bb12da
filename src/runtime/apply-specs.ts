import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VmId, VmSpec } from '../model/vm.js';
import type { Inventory } from './inventory.js';
import type { ReloadView } from './views.js';

/** What it needs of an inventory. */
type SpecInventory = Pick<Inventory, 'units' | 'watch' | 'unwatch' | 'reconfigure'>;

/** VMs that are compared in one turn of the event loop, which takes some milliseconds. */
const VMS_A_TURN = 250;

/**
 * Brings a new set of VMs to the inventory, or leaves it with those that it had. What is no longer named is only not watched
 * any more (`forget` is told before), what is new is, and what differs is configured anew.
 */
export async function applySpecs(
  inventory: SpecInventory,
  vms: readonly VmSpec[],
  forget: (vm: VmId) => void,
): Promise<Omit<ReloadView, 'warnings'>> {
  const former = [...inventory.units.values()].map(({ spec }) => spec);
  try {
    return await bring(inventory, vms, forget);
  } catch (error) {
    await bring(inventory, former, forget);
    throw error;
  }
}

async function bring(
  inventory: SpecInventory,
  vms: readonly VmSpec[],
  forget: (vm: VmId) => void,
): Promise<Omit<ReloadView, 'warnings'>> {
  const { units } = inventory;
  const next = new Set(vms.map((vm) => vm.id));
  const removed = [...units.keys()].filter((id) => !next.has(id));
  for (const id of removed) {
    forget(id);
    await inventory.unwatch(id);
  }
  const added: VmId[] = [];
  const changed: { id: VmId; restartRequired: boolean }[] = [];
  for (const [at, vm] of vms.entries()) {
    if (at > 0 && at % VMS_A_TURN === 0) await nextTurn();
    const unit = units.get(vm.id);
    if (!unit) {
      added.push(vm.id);
      await inventory.watch(vm);
    } else if (JSON.stringify(unit.spec) !== JSON.stringify(vm)) {
      await inventory.reconfigure(unit, vm);
      changed.push({ id: vm.id, restartRequired: unit.restartRequired });
    }
  }
  return { added, removed, changed };
}
