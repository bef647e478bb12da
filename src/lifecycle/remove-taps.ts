import { kernelMissing, linkInfo, removeLink } from '../kernel/index.js';
import type { VmSpec } from '../model/vm.js';

/** Removes the TAP devices that vmpulse made for the VM, and resolves with their names. Others are not its own. */
export function removeTaps(vm: VmSpec): string[] {
  if (kernelMissing() !== undefined) return [];
  return vm.hypervisor.interfaces.flatMap((network) => {
    if (network.type !== 'tap' || network.create !== true) return [];
    if (linkInfo(network.device)?.tun?.type !== 'tap') return [];
    removeLink(network.device);
    return [network.device];
  });
}
