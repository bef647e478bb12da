import type { HealthState } from '../model/health.js';
import type { JournalEntry, StoredJournalEntry } from '../model/ports.js';
import type { RecoverySpec, RunStrategy, VmId, VmMode } from '../model/vm.js';
import type { Explanation } from '../policy/explain.js';
import type { Intent, KeptBy, ProbeSummary } from '../policy/index.js';
import type { PolicyEvent } from '../policy/types.js';
import type { CertificateView } from './certificate-watch.js';
import type { CheckApi } from './checks.js';
import type { Compliance } from './compliance.js';
import type { Endpoint } from './endpoint.js';
import type { GuestApi } from './guests.js';
import type { HealthApi } from './health.js';
import type { Heartbeat } from './heartbeats.js';
import type { HistoryApi } from './history.js';
import type { HookApi } from './hooks/hook-views.js';
import type { LifeState } from './life-state.js';
import type { NetworkApi } from './network-api.js';

/** Something that does not work as it should, while the rest goes on. */
export interface Degradation {
  /** Stable name, for example `journal`, `kernel-addon`, `kvm`. */
  readonly what: string;
  readonly why: string;
  readonly sinceMs: number;
}

/** One VM as status, API and dashboard show it. */
export interface VmView {
  readonly id: VmId;
  readonly health: HealthState;
  readonly sinceMs: number;
  /** Whether it stands in the list of endpoints. */
  readonly ready: boolean;
  /** Why it does although it is not ready; null else. */
  readonly keptReadyBy: KeptBy | null;
  readonly runStrategy: RunStrategy;
  /** Where it is in its life. */
  readonly lifeState: LifeState;
  /** What its annotations keep automation from, and why. */
  readonly mode: { readonly kind: 'managed' | VmMode['kind']; readonly reason: string };
  readonly recoveryEnabled: boolean;
  readonly address: string | null;
  /** Where its service is: what its readiness probe connects to; null when that asks no port. */
  readonly endpoint: Endpoint | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly vmm: {
    readonly pid: number;
    readonly startTimeTicks: number;
    readonly startedAtMs: number;
  } | null;
  /** One line: the diagnosis, the action in flight or what holds it; empty when healthy. */
  readonly note: string;
  /** Others undo what vmpulse does, so that it has given in, since then; null: no. */
  readonly editWarSinceMs: number | null;
  readonly probes: readonly ProbeSummary[];
  readonly compliance: Compliance;
  /** `unmanaged`, `reconcile-paused`, `patch`, `ignore-fields`: annotations that make vmpulse treat it otherwise than its documents alone would. */
  readonly customizations: readonly string[];
  /** A configuration change waits for a restart of the VM. */
  readonly restartRequired: boolean;
}

export interface HoldView {
  readonly vm: VmId | null;
  readonly reason: string;
  readonly author: string;
  readonly untilMs: number | null;
}

/** How failures of a VM are answered, and who said so. */
export interface RecoveryPolicyView {
  readonly vm: VmId;
  readonly recovery: RecoverySpec;
  /** Path in `recovery`, for example `backoff.capMs`; what has no entry is a default. */
  readonly origins: Readonly<Record<string, string>>;
}

/** The whole host as `vmpulse status` shows it. */
export interface HostView {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly engine: 'native' | 'portable';
  readonly holds: readonly HoldView[];
  readonly degradations: readonly Degradation[];
  readonly vms: readonly VmView[];
}

/** What metrics tell of one VM. */
export interface VmFigures extends Pick<VmView, 'id' | 'health' | 'ready' | 'customizations'> {
  /** What runs is what the documents say. */
  readonly compliant: boolean;
  /** Automation is paused, by an annotation or because others undo what it does. */
  readonly paused: boolean;
  /** Seen by its probes. */
  readonly certificates: readonly CertificateView[];
}

/** What metrics tell of the host and of all its VMs together. */
export interface HostFigures
  extends Pick<HostView, 'version' | 'startedAtMs' | 'nowMs' | 'holds' | 'degradations'> {
  /** VMs by state; a state that none is in is left out. */
  readonly healthCounts: ReadonlyMap<HealthState, number>;
  /** VMs that are left as others want them, because they undo what vmpulse does. */
  readonly editWars: number;
  /** The fleet brake holds all recovery since then; null: it does not. */
  readonly brakeSinceMs: number | null;
  /** VMs that failed together are left alone as one incident since then; null: none are. */
  readonly incidentSinceMs: number | null;
}

/** What `vmpulse explain` shows: the policy's explanation and the VM's last journal entries. */
export interface ExplainView extends Explanation {
  readonly vmm: VmView['vmm'];
  /** Those of the host's that are about this VM. */
  readonly degradations: readonly Degradation[];
  readonly journal: readonly Pick<StoredJournalEntry, 'seq' | 'atMs' | 'type' | 'text'>[];
}

/** An event as the API streams it. `id` counts up from 1 within one daemon; it is none of the journal. */
export interface RuntimeEvent extends Omit<JournalEntry, 'actionId'> {
  readonly id: number;
}

export interface ReloadView {
  readonly added: readonly VmId[];
  readonly removed: readonly VmId[];
  readonly changed: readonly { readonly id: VmId; readonly restartRequired: boolean }[];
  readonly warnings: readonly string[];
}

/** Recurring maintenance of one VM. */
export interface MaintenanceView {
  readonly vm: VmId;
  readonly name: string;
  /** Cron expression, UTC. */
  readonly schedule: string;
  /** A built-in, or the command as it would be typed. */
  readonly does: string;
  /** When it is due next; null: never again. */
  readonly nextAtMs: number | null;
  readonly state: 'idle' | 'waiting' | 'running';
  /** What it waits for; null: nothing. */
  readonly why: string | null;
  readonly last: MaintenanceResult | null;
}

/** How a run of maintenance ended; `missed`: it could not begin in time. */
export interface MaintenanceResult {
  readonly endedAtMs: number;
  readonly result: 'done' | 'failed' | 'skipped' | 'missed';
  readonly text: string;
}

/** Steps that a person can schedule. */
export type ScheduledStep = Extract<PolicyEvent, { type: 'schedule' }>['step'];

/** What the daemon needs of the runtime; the runtime's Vmpulse class has it. */
export interface RuntimeApi {
  /** The networks of the host and the security groups of its VMs. */
  readonly network: NetworkApi;
  view(): HostView;
  /** Throws ERR_VMPULSE_VM_UNKNOWN. */
  viewVm(vm: VmId): VmView;
  /** Throws ERR_VMPULSE_VM_UNKNOWN. */
  recoveryPolicy(vm: VmId): RecoveryPolicyView;
  explain(vm: VmId): Promise<ExplainView>;
  /** Name, namespace/name or UUID → id; throws ERR_VMPULSE_VM_UNKNOWN (with near misses) or ERR_VMPULSE_ARGUMENT when ambiguous. */
  resolveVm(text: string): VmId;
  hold(options: { vm: VmId | null; reason: string; author: string; forMs: number | null }): Promise<void>;
  resume(options: { vm: VmId | null; author: string }): Promise<void>;
  release(options: { vm: VmId; author: string }): Promise<void>;
  /** A person works on the VM: nothing is done to it until ended, or for a time (`forMs` null: until ended). */
  beginMaintenance(options: {
    vm: VmId;
    reason: string;
    author: string;
    forMs: number | null;
  }): Promise<void>;
  endMaintenance(options: { vm: VmId; author: string }): Promise<void>;
  /** Maintenance to be done once, within the windows of the VM and while it is well. */
  schedule(options: { vm: VmId; step: ScheduledStep; reason: string; author: string }): Promise<void>;
  /** What persons want and automation obeys, until withdrawn. */
  intents(): readonly Intent[];
  /** Recurring maintenance of every VM, by VM and name. */
  maintenance(): readonly MaintenanceView[];
  /** Withdraws what persons wanted of one VM, or (null) of all. */
  clearIntents(options: { vm: VmId | null; author: string }): Promise<void>;
  /** A new token for the VM's heartbeats; the former one does not count any more. */
  issueHeartbeatToken(options: { vm: VmId; author: string }): Promise<string>;
  /**
   * A heartbeat as it came from outside; `vm` as in resolveVm. Rejects with ERR_VMPULSE_UNAUTHORIZED for a wrong token and
   * for an unknown VM, ERR_VMPULSE_ARGUMENT when the VM has no such probe.
   */
  receiveHeartbeat(vm: string, token: string, beat: Heartbeat): Promise<void>;
  /** Entries of the journal after `afterSeq`, oldest first, at most `limit`. */
  journal(query: {
    readonly afterSeq: number;
    readonly limit: number;
  }): Promise<readonly StoredJournalEntry[]>;
  /** How VMs are, as their probes have it. */
  readonly health: HealthApi;
  /** What happened, by VM, type, class and time. */
  readonly history: HistoryApi;
  /** Programs that are run at events of VMs. */
  readonly hooks: HookApi;
  /** Probes of VMs, as they are set, and asked at once. */
  readonly checks: CheckApi;
  /** What persons do in guests. */
  readonly guests: GuestApi;
  /** All metrics in the text format of Prometheus, UTF-8. */
  renderMetrics(encoding: 'identity' | 'gzip'): Promise<Uint8Array<ArrayBuffer>>;
  /** Events after `afterId` that are still in the ring (1,024), then live ones. */
  events(options: { afterId?: number; signal: AbortSignal }): AsyncIterableIterator<RuntimeEvent>;
}
