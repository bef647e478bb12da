import type { LadderStep } from './action.js';
import type { CloudInit } from './cloud-init.js';
import type { Hook } from './hook.js';
import type { RunAs } from './hypervisor.js';
import type { CloudHypervisorSpec } from './hypervisors/cloud-hypervisor.js';
import type { FirecrackerSpec } from './hypervisors/firecracker.js';
import type { LibvirtSpec } from './hypervisors/libvirt.js';
import type { ObservedSpec } from './hypervisors/observed.js';
import type { QemuSpec } from './hypervisors/qemu.js';
import type { MaintenanceEntry } from './maintenance.js';
import type { ProbeSpec } from './probe.js';

/** `namespace/name`. Unique on a host; records that may leave the host carry the host beside it. */
export type VmId = string;

export type RunStrategy = 'Always' | 'RerunOnFailure' | 'Once' | 'Manual' | 'Halted';

/** A process that cannot be confused with a later one of the same PID. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since the host booted. */
  readonly startTimeTicks: number;
}

/** How the VM is run. One line a driver. */
export type HypervisorSpec = QemuSpec | CloudHypervisorSpec | FirecrackerSpec | LibvirtSpec | ObservedSpec;

/** A driver's name. */
export type DriverName = HypervisorSpec['driver'];

/** A time of the week, UTC, in which scheduled maintenance may begin. It may end on the next day. */
export interface ActionWindow {
  /** Days on which it begins, 0 is Sunday; none: every day. */
  readonly days: readonly number[];
  /** Minutes since midnight; `toMinute` before `fromMinute`: on the next day. */
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** How a failure of this VM may be answered. Defaults and meaning: docs/reference/policy.md. */
export interface RecoverySpec {
  /** False: observe only, decisions are recorded as "would". */
  readonly enabled: boolean;
  readonly graceMs: number;
  /** Grace is extended up to this while the boot moves. */
  readonly graceMaxMs: number;
  /** How long a crash kernel may take to save its dump. */
  readonly kdumpTimeoutMs: number;
  readonly stableForMs: number;
  readonly wedgedAfterMs: number;
  readonly vetoWindowMs: number;
  /** A pause, migration or save by others is reported once it lasts longer. */
  readonly suspendedMaxMs: number;
  readonly maxConsecutive: number;
  readonly maxPer24h: number;
  readonly backoff: { readonly baseMs: number; readonly capMs: number; readonly jitter: number };
  readonly breaker: { readonly failures: number; readonly holdMs: number };
  /** Guest command that restarts the service that the probes ask; run through the guest agent, no shell. */
  readonly restartService?: readonly string[];
  /** Guest command tried where restarting the service did not help; through the guest agent, no shell. */
  readonly exec?: readonly string[];
  /** Guest command that frees what a resource probe found used up; through the guest agent, no shell. */
  readonly cleanup?: readonly string[];
  /** Steps that are not taken; unset: none. */
  readonly skip?: readonly LadderStep[];
  /** The VM may be made anew, with its disks, MAC and UUID, where nothing else helps and its driver can. */
  readonly recreate: boolean;
  /** When scheduled maintenance may begin; none: at any time. Recovery does not wait for them. */
  readonly actionWindows: readonly ActionWindow[];
  readonly stepTimeoutMs: number;
  readonly gracefulStopMs: number;
  /** Order of start-ups on a host that comes up: the higher is started first. */
  readonly startPriority: number;
}

/** What the annotations of a VM keep automation from. */
export interface VmMode {
  /** `unmanaged`: watched, and only what a person schedules is done; `paused`: nothing is done until it is removed. */
  readonly kind: 'unmanaged' | 'paused';
  /** For a person: the annotation, and why where it says so. */
  readonly reason: string;
}

/** One VM as vmpulse knows it: manifest, host binding and defaults merged and validated. */
export interface VmSpec<Hypervisor extends HypervisorSpec = HypervisorSpec> {
  readonly id: VmId;
  readonly namespace: string;
  readonly name: string;
  readonly uuid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runStrategy: RunStrategy;
  /** Unset: managed. */
  readonly mode?: VmMode;
  /** The annotation that patches its host document. */
  readonly patchedBy?: string;
  /** Paths that may differ from what runs, for example `hypervisor.memoryMiB`; also those below them. */
  readonly ignoredFields?: readonly string[];
  /** Another value than before makes vmpulse reconcile the VM at once. */
  readonly forceReconcile?: string;
  /** Where probes connect to: an IP address; unset until known (agent, lease). */
  readonly address?: string;
  readonly hypervisor: Hypervisor;
  /** Unset: none. Its disk is the last of the hypervisor's. */
  readonly cloudInit?: CloudInit;
  readonly probes: readonly ProbeSpec[];
  readonly recovery: RecoverySpec;
  /** Path in `recovery`, for example `backoff.capMs`, and the document that said it; what has no entry is the host's. */
  readonly recoveryOrigins?: Readonly<Record<string, string>>;
  /** Recurring maintenance; unset: none. */
  readonly maintenance?: readonly MaintenanceEntry[];
  /** Run at events of this VM, before those of the host; unset: none. */
  readonly hooks?: readonly Hook[];
  /** Digest of everything above that needs a restart of the VM to change. */
  readonly machineDigest: string;
}

/** Whom its VMM runs as, where that is somebody else than vmpulse. */
export function runAsOf({ hypervisor }: Pick<VmSpec, 'hypervisor'>): RunAs | undefined {
  return 'runAs' in hypervisor ? hypervisor.runAs : undefined;
}

/** The VM if that driver runs it, with the driver's own specification. */
export function isRunBy<Name extends DriverName>(
  vm: VmSpec,
  driver: Name,
): vm is VmSpec<Extract<HypervisorSpec, { readonly driver: Name }>> {
  return vm.hypervisor.driver === driver;
}
