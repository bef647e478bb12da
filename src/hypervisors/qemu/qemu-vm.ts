import { join } from 'node:path';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import type { VmSpec } from '../../model/vm.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import { type VmPaths, vmPaths } from '../vmm/paths.js';

export type QemuVm = VmSpec<QemuSpec>;

export interface QemuPaths extends VmPaths {
  readonly agentSocket: string;
}

export function qemuPaths(runDir: string, vm: QemuVm): QemuPaths {
  const paths = vmPaths(runDir, vm, ['qmp.sock', 'qga.sock']);
  return { ...paths, agentSocket: join(paths.folder, 'qga.sock') };
}

export function qemuMark({ uuid, hypervisor: { adopt } }: QemuVm): VmmMark {
  if (adopt) return { socket: adopt.qmpSocket, pidFile: adopt.pidFile };
  return { argv: { options: ['-uuid', '--uuid'], value: uuid }, firstArg: '-name' };
}
