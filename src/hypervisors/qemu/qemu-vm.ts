import { VmpulseError } from '../../model/errors.js';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import { isRunBy, type VmSpec } from '../../model/vm.js';

export type QemuVm = VmSpec<QemuSpec>;

/** Throws ERR_VMPULSE_ARGUMENT for a VM of another driver. */
export function qemuVm(vm: VmSpec): QemuVm {
  if (isRunBy(vm, 'qemu')) return vm;
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `VM ${vm.id} is run by ${vm.hypervisor.driver}, not by qemu`,
  );
}
