import type { DoctorCheck } from './check.js';
import { addons } from './checks/addons.js';
import { apicVirtualization } from './checks/apic-virtualization.js';
import { bridges } from './checks/bridges.js';
import { clocksource } from './checks/clocksource.js';
import { configuration } from './checks/configuration.js';
import { conntrack } from './checks/conntrack.js';
import { cpuGovernor } from './checks/cpu-governor.js';
import { cpuVirtualization } from './checks/cpu-virtualization.js';
import { diskInodes } from './checks/disk-inodes.js';
import { diskSpace } from './checks/disk-space.js';
import { foldersWritable } from './checks/folders-writable.js';
import { hugepages } from './checks/hugepages.js';
import { ipForward } from './checks/ip-forward.js';
import { isoTool } from './checks/iso-tool.js';
import { ksm } from './checks/ksm.js';
import { kvmCanary } from './checks/kvm-canary.js';
import { kvmDevice } from './checks/kvm-device.js';
import { kvmPermission } from './checks/kvm-permission.js';
import { libvirt } from './checks/libvirt.js';
import { limitMemlock } from './checks/limit-memlock.js';
import { limitNofile } from './checks/limit-nofile.js';
import { limitNproc } from './checks/limit-nproc.js';
import { load } from './checks/load.js';
import { memory } from './checks/memory.js';
import { nat } from './checks/nat.js';
import { neighbours } from './checks/neighbours.js';
import { nested } from './checks/nested.js';
import { ports } from './checks/ports.js';
import { pressure } from './checks/pressure.js';
import { rawSockets } from './checks/raw-sockets.js';
import { serviceManager } from './checks/service-manager.js';
import { tap } from './checks/tap.js';
import { timeSync } from './checks/time-sync.js';
import { tun } from './checks/tun.js';
import { vmmPrograms } from './checks/vmm-programs.js';
import { vsock } from './checks/vsock.js';
import { watchdog } from './checks/watchdog.js';

/** Every check, in the order of the report. */
export const CHECKS: readonly DoctorCheck[] = [
  configuration,
  kvmDevice,
  kvmPermission,
  kvmCanary,
  cpuVirtualization,
  nested,
  apicVirtualization,
  vmmPrograms,
  libvirt,
  addons,
  serviceManager,
  foldersWritable,
  diskSpace,
  diskInodes,
  memory,
  pressure,
  load,
  limitNofile,
  limitNproc,
  limitMemlock,
  rawSockets,
  ports,
  conntrack,
  neighbours,
  tun,
  tap,
  bridges,
  ipForward,
  nat,
  vsock,
  isoTool,
  hugepages,
  ksm,
  cpuGovernor,
  clocksource,
  timeSync,
  watchdog,
];
