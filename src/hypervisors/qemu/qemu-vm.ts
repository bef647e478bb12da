import { join } from 'node:path';
import type { QemuSpec } from '../../model/hypervisors/qemu.js';
import type { VmSpec } from '../../model/vm.js';
import type { VmmMark } from '../vmm/find-vmm.js';
import { type VmPaths, vmPaths } from '../vmm/paths.js';

export type QemuVm = VmSpec<QemuSpec>;

export interface QemuPaths extends VmPaths {
  readonly agentSocket: string;
  readonly vmpulseAgentSocket: string;
  readonly consoleSocket: string;
}

export function qemuPaths(runDir: string, vm: QemuVm): QemuPaths {
  const paths = vmPaths(runDir, vm, ['qmp.sock', 'qga.sock', 'vma.sock', 'tty.sock']);
  return {
    ...paths,
    agentSocket: join(paths.folder, 'qga.sock'),
    vmpulseAgentSocket: join(paths.folder, 'vma.sock'),
    consoleSocket: join(paths.folder, 'tty.sock'),
  };
}

/** Which agents the guest has ports for. */
export function agentsOf({ hypervisor: { guestAgent, vmpulseAgent } }: QemuVm): {
  readonly qemu: boolean;
  readonly vmpulse: boolean;
} {
  return { qemu: guestAgent && vmpulseAgent !== 'alone', vmpulse: vmpulseAgent !== undefined };
}

export function qemuMark({ uuid, hypervisor: { adopt } }: QemuVm): VmmMark {
  if (adopt) return { socket: adopt.qmpSocket, pidFile: adopt.pidFile };
  return { argv: { options: ['-uuid', '--uuid'], values: [uuid.toLowerCase()] }, firstArg: '-name' };
}
