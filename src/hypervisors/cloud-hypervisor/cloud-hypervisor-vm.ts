import { join } from 'node:path';
import type { CloudHypervisorSpec } from '../../model/hypervisors/cloud-hypervisor.js';
import type { VmSpec } from '../../model/vm.js';
import { type VmPaths, vmPaths } from '../vmm/paths.js';

export type CloudHypervisorVm = VmSpec<CloudHypervisorSpec>;

export interface CloudHypervisorPaths extends VmPaths {
  /** A fifo: what nobody reads is lost, and takes no space. */
  readonly eventsFifo: string;
  readonly vsockSocket: string;
}

export function cloudHypervisorPaths(runDir: string, vm: CloudHypervisorVm): CloudHypervisorPaths {
  // It locks its API socket by a file beside it.
  const paths = vmPaths(runDir, vm, ['ch.sock', 'ch.sock.lock', 'vsock.sock', 'events.fifo']);
  return {
    ...paths,
    eventsFifo: join(paths.folder, 'events.fifo'),
    vsockSocket: join(paths.folder, 'vsock.sock'),
  };
}
