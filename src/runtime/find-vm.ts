import { VmpulseError } from '../model/errors.js';
import type { VmId } from '../model/vm.js';
import type { VmUnit } from './vm-unit.js';

type Units = ReadonlyMap<VmId, VmUnit>;

/** How many names an error offers instead of one that nothing has. */
const NEAR_MISSES = 5;

/** Throws ERR_VMPULSE_VM_UNKNOWN. */
export function unitOf(units: Units, vm: VmId): VmUnit {
  const unit = units.get(vm);
  if (unit) return unit;
  throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM ${vm} is watched; vmpulse status lists the VMs`);
}

/** Name, namespace/name or UUID → id; throws ERR_VMPULSE_VM_UNKNOWN (with near misses) or ERR_VMPULSE_ARGUMENT when ambiguous. */
export function resolveVm(units: Units, text: string): VmId {
  const ids = [...units.keys()];
  const byUuid = [...units.values()].find(({ spec }) => spec.uuid === text.toLowerCase());
  if (byUuid) return byUuid.spec.id;
  if (ids.includes(text)) return text;
  const named = ids.filter((id) => id.endsWith(`/${text}`));
  if (named.length === 1 && named[0] !== undefined) return named[0];
  if (named.length > 1) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `VM name ${text} is ambiguous; say which: ${named.join(', ')}`,
    );
  }
  const near = ids.filter((id) => id.includes(text)).slice(0, NEAR_MISSES);
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; vmpulse status lists the VMs';
  throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM named ${text} is watched${hint}`);
}
