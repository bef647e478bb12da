import type { VmId, VmSpec } from '../model/vm.js';
import type { Inventory } from './inventory.js';
import type { ReloadView } from './views.js';

/**
 * Brings a new set of VMs to the inventory: what is no longer named is only not watched any more (`forget` is told
 * before), what is new is, and what differs is configured anew.
 */
export async function applySpecs(
  inventory: Inventory,
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
  for (const vm of vms) {
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
