import type { ActionResult, LadderStep, RecoveryAction } from '../model/action.js';
import type { Outcome, ProbeState } from '../model/outcome.js';
import type { VmmEvent } from '../model/ports.js';
import type { ProbeKind, ProbeRole } from '../model/probe.js';
import type { Reason } from '../model/reasons.js';
import type { RecoverySpec, RunStrategy, VmId, VmMode } from '../model/vm.js';
import type { Act } from './acts.js';
import type { HostSigns, HostState } from './host-state.js';
import type { Scheduled } from './scheduled.js';
import type { PolicyVmState } from './vm-state.js';

/** What the policy needs to know of a probe. */
export interface PolicyProbe {
  readonly name: string;
  readonly role: ProbeRole;
  readonly kind: ProbeKind;
  readonly critical: boolean;
  readonly startState: ProbeState;
}

/** What the policy needs to know of a VM. */
export interface PolicyVm {
  readonly id: VmId;
  readonly runStrategy: RunStrategy;
  /** Unset: managed. */
  readonly mode?: VmMode;
  /** Another value than before: reconcile it at once. */
  readonly forceReconcile?: string;
  readonly recovery: RecoverySpec;
  readonly probes: readonly PolicyProbe[];
  /** Steps its driver can carry out, with the configuration it has. */
  readonly steps: readonly LadderStep[];
}

/** Host-wide limits (docs/reference/policy.md). */
export interface PolicyConfig {
  /** Recoveries in flight at once on this host; default 2. */
  readonly maxConcurrentRecoveries: number;
  /** Boots (start, reboot, reset, power-cycle) in any 60 s; default 10. */
  readonly maxBootsPerMinute: number;
  /** How long a confirm may take, ms; default 2000. */
  readonly confirmTimeoutMs: number;
  /** Largest share of the VMs that run which may be out of the list of endpoints for not being ready; default 0.5. */
  readonly maxEject: number;
  /** Episodes kept per VM for explain; default 10. */
  readonly episodesKept: number;
  /** Recovery of all holds once this share of the VMs fails at once; default 0.3. */
  readonly brakeRatio: number;
  /** … and at least this many; default 3. */
  readonly brakeMinVms: number;
  /** The brake is released once the share was below for this long, ms; default 300000. */
  readonly brakeCooldownMs: number;
  /** VMs that share something and fail within this time are one incident, ms; default 30000. */
  readonly sharedCauseWindowMs: number;
  /** … from this many on, and at least a tenth of those that share it; default 3. */
  readonly sharedCauseMinVms: number;
  /** People are told once the brake has held for this long, ms; default 1800000. */
  readonly brakeEscalateAfterMs: number;
}

/** Everything that can happen. Times come with the event or as `now`; the policy reads no clock. */
export type PolicyEvent =
  /** A VM is watched from now on, or its configuration changed. */
  | {
      readonly type: 'vm-configured';
      readonly vm: PolicyVm;
      /** Probes that the engine counts from their start state again, and tells only what differs from that. */
      readonly recounted?: readonly string[];
    }
  | { readonly type: 'vm-removed'; readonly vm: VmId }
  /** A look at start-up, or after an action that ended in the dark: is its VMM there? */
  | { readonly type: 'vm-looked'; readonly vm: VmId; readonly running: boolean }
  /** The runtime holds a session to a running VMM. `fresh`: this VMM was started just now, so its guest boots. */
  | {
      readonly type: 'vm-attached';
      readonly vm: VmId;
      readonly startedAtMs: number;
      /** Names this VMM and no other, whatever becomes of the wall clock: process, start, boot of the host. */
      readonly vmm: string;
      readonly fresh: boolean;
      readonly status: string;
      /** What it shares with other VMs beside the host, narrowest first, for example `storage 8:1`, `bridge br0`. */
      readonly shares?: readonly string[];
      /** The runtime can read counters that only the guest moves; default false. */
      readonly counters?: boolean;
    }
  | {
      readonly type: 'probe';
      readonly vm: VmId;
      readonly probe: string;
      readonly state: ProbeState;
      readonly reason?: Reason;
      readonly atMs: number;
      readonly streakStartMs: number;
      readonly lastOkMs: number;
      readonly count: number;
    }
  | { readonly type: 'vmm-event'; readonly vm: VmId; readonly event: VmmEvent; readonly atMs: number }
  /** The answer to `confirm`; a probe without an answer in time is missing. */
  | {
      readonly type: 'confirmed';
      readonly vm: VmId;
      readonly confirmId: string;
      readonly outcomes: Readonly<Record<string, Outcome>>;
    }
  /** The counters of the guest were compared with those before: the names of those that moved. */
  | { readonly type: 'activity'; readonly vm: VmId; readonly moved: readonly string[]; readonly atMs: number }
  /** A person has something done to the VM; the effect `act` says when it may begin. */
  | { readonly type: 'act'; readonly vm: VmId; readonly act: Omit<Act, 'sinceMs'> }
  | {
      readonly type: 'act-ended';
      readonly vm: VmId;
      readonly id: string;
      readonly done: boolean;
      readonly text: string;
    }
  | {
      readonly type: 'action-ended';
      readonly vm: VmId;
      readonly actionId: string;
      readonly result: ActionResult;
    }
  /** Something outside the policy held the action before it began (veto, hold file); it was not carried out. */
  | {
      readonly type: 'action-held';
      readonly vm: VmId;
      readonly actionId: string;
      /** `pre-start`: a hook of the VM does not want it started; it is asked again after a growing distance. */
      readonly rule: 'action-held' | 'pre-start';
      readonly reason: string;
      /** Not before then; a `pre-start` keeps the distance of the back-off instead. */
      readonly retryAtMs: number;
    }
  /** A person holds recovery. `vm` null: all. `untilMs` null: until withdrawn. */
  | {
      readonly type: 'hold';
      readonly vm: VmId | null;
      readonly reason: string;
      readonly author: string;
      readonly untilMs: number | null;
    }
  | { readonly type: 'unhold'; readonly vm: VmId | null; readonly author: string }
  /** A person begins to work on the VM (null: has ended). `untilMs` null: until ended. */
  | {
      readonly type: 'maintenance';
      readonly vm: VmId;
      readonly author: string;
      readonly begin: { readonly reason: string; readonly untilMs: number | null } | null;
    }
  /** A person schedules maintenance of a VM: it is done once within its windows, while the VM is well. */
  | {
      readonly type: 'schedule';
      readonly vm: VmId;
      readonly step: Scheduled['step'];
      readonly author: string;
      readonly reason: string;
    }
  /** A person withdraws what persons wanted: holds, maintenance, stops from outside. `vm` null: of all. */
  | { readonly type: 'clear-intents'; readonly vm: VmId | null; readonly author: string }
  /** A person has what is counted of a VM's probes forgotten; `clearHistory`: its former episodes too. */
  | {
      readonly type: 'probes-reset';
      readonly vm: VmId;
      readonly author: string;
      readonly clearHistory: boolean;
    }
  /** A person asks for the VM to leave quarantine. */
  | { readonly type: 'release'; readonly vm: VmId; readonly author: string }
  /**
   * The host booted since the state was stored; sent before any look. What ended with the host is start-up, not
   * failure: VMs that were told to end by a signal are not held any more.
   */
  | { readonly type: 'host-booted' }
  | { readonly type: 'journal'; readonly available: boolean }
  /** What former runs recorded is gone or cannot be read. `why`: what was found instead, for a person. */
  | { readonly type: 'journal-lost'; readonly why: string }
  /** All VMs are about to be looked at for the first time (true), or have been (false). Start-ups wait in between. */
  | { readonly type: 'gathering'; readonly gathering: boolean }
  /** What is seen of the host itself changed. */
  | { readonly type: 'host-signs'; readonly signs: HostSigns }
  /** Other limits of the host hold from now on. What is under way under wider ones ends as it would have. */
  | { readonly type: 'limits'; readonly limits: PolicyConfig }
  | { readonly type: 'tick' };

/** What the runtime must do now. */
export type PolicyEffect =
  /** Ask these probes of the VM at once, outside their schedule, and answer with `confirmed`. */
  | {
      readonly type: 'confirm';
      readonly vm: VmId;
      readonly confirmId: string;
      readonly probes: readonly string[];
      readonly timeoutMs: number;
    }
  | { readonly type: 'recover'; readonly action: RecoveryAction }
  /** What the person wants may be done now: nothing else is being done to the VM. */
  | { readonly type: 'act'; readonly vm: VmId; readonly id: string }
  | { readonly type: 'suspend-probes'; readonly vm: VmId }
  /** Compare the counters of the guest every few seconds and send `activity`, or stop that. */
  | { readonly type: 'watch-activity'; readonly vm: VmId; readonly watch: boolean }
  | { readonly type: 'resume-probes'; readonly vm: VmId }
  /** A new boot of the guest: thresholds start over. */
  | { readonly type: 'new-instance'; readonly vm: VmId }
  /** Thresholds start over for the same boot: nothing is waited for. */
  | { readonly type: 'restart-probes'; readonly vm: VmId }
  /** Tell people; `vm` null: it concerns the whole host. */
  | { readonly type: 'escalate'; readonly vm: VmId | null; readonly text: string };

export type DecisionKind =
  | 'health'
  | 'diagnosis'
  | 'act'
  | 'would'
  | 'hold'
  | 'result'
  | 'recovered'
  | 'quarantine'
  | 'escalate'
  | 'note';

/** One decision with its reason; each is journalled. */
export interface Decision {
  readonly vm: VmId | null;
  readonly kind: DecisionKind;
  /** The rule that decided, a stable name, for example `grace`, `host-budget`, `diagnosis/service`. */
  readonly rule: string;
  /** One sentence for a person. */
  readonly text: string;
  readonly actionId: string | null;
  /** Plain JSON. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface StepResult {
  readonly state: PolicyState;
  readonly effects: readonly PolicyEffect[];
  readonly decisions: readonly Decision[];
  /** VMs that were looked at or forgotten; of no other has anything changed that is stored or shown. */
  readonly looked: readonly VmId[];
  /** Send `tick` then, if nothing comes before; null: nothing is pending. */
  readonly wakeAtMs: number | null;
}

/** State of the whole policy. Owned by the caller, consumed by step(); plain data, so that it can be stored. */
export interface PolicyState {
  config: PolicyConfig;
  readonly vms: Map<VmId, PolicyVmState>;
  readonly host: HostState;
}
