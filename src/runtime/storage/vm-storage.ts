import { Deadline } from '../../model/deadline.js';
import type { CallOptions, StoragePort } from '../../model/ports.js';
import type { VmSpec } from '../../model/vm.js';
import { makeSeed } from './seed-iso.js';

/** Makes the disks of VMs that vmpulse itself makes. */
export const vmStorage: StoragePort = {
  async prepare(vm: VmSpec, options: CallOptions): Promise<void> {
    const { cloudInit, hypervisor } = vm;
    const seed = hypervisor.disks.at(-1);
    if (cloudInit === undefined || seed === undefined) return;
    await makeSeed(seed.path, cloudInit, new Deadline(`cloud-init disk of ${vm.id}`, options));
  },
};
