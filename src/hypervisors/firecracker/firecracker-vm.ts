import { join } from 'node:path';
import type { FirecrackerSpec } from '../../model/hypervisors/firecracker.js';
import type { VmSpec } from '../../model/vm.js';
import { type VmPaths, vmPaths } from '../vmm/paths.js';

export type FirecrackerVm = VmSpec<FirecrackerSpec>;

export interface FirecrackerPaths extends VmPaths {
  readonly config: string;
  /** Its own log: what it writes to stdout is the guest's console. */
  readonly log: string;
  readonly metrics: string;
  readonly vsockSocket: string;
}

export function firecrackerPaths(runDir: string, vm: FirecrackerVm): FirecrackerPaths {
  const paths = vmPaths(runDir, vm, ['fc.sock', 'vsock.sock']);
  return {
    ...paths,
    config: join(paths.folder, 'firecracker.json'),
    log: join(paths.folder, 'firecracker.log'),
    metrics: join(paths.folder, 'metrics.json'),
    vsockSocket: join(paths.folder, 'vsock.sock'),
  };
}
