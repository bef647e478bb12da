import type { LadderStep } from '../model/action.js';
import type { RecoverySpec } from '../model/vm.js';
import type { PolicyConfig } from './types.js';

/** Host-wide limits when nothing else is configured. */
export const DEFAULT_POLICY_CONFIG: PolicyConfig = {
  maxConcurrentRecoveries: 2,
  maxBootsPerMinute: 10,
  confirmTimeoutMs: 2_000,
  maxEject: 0.5,
  episodesKept: 10,
  brakeRatio: 0.3,
  brakeMinVms: 3,
  brakeCooldownMs: 300_000,
  brakeEscalateAfterMs: 1_800_000,
  sharedCauseWindowMs: 30_000,
  sharedCauseMinVms: 3,
};

/** Recovery of a VM when nothing else is configured: observe only. */
export const DEFAULT_RECOVERY: RecoverySpec = {
  enabled: false,
  graceMs: 120_000,
  graceMaxMs: 600_000,
  kdumpTimeoutMs: 300_000,
  stableForMs: 60_000,
  wedgedAfterMs: 60_000,
  vetoWindowMs: 120_000,
  suspendedMaxMs: 3_600_000,
  maxConsecutive: 3,
  maxPer24h: 10,
  backoff: { baseMs: 10_000, capMs: 300_000, jitter: 0.5 },
  breaker: { failures: 5, holdMs: 300_000 },
  stepTimeoutMs: 60_000,
  gracefulStopMs: 30_000,
  startPriority: 0,
  recreate: false,
  actionWindows: [],
};

/** Fixed bounds of the policy. Documented in docs/reference/policy.md. */
export const LIMITS = {
  /** A fresh look counts for this long; an inferred remedy on older evidence asks again. */
  confirmFreshMs: 5_000,
  /** The answer to a `confirm` is waited for this much longer than its own timeout. */
  confirmSlackMs: 1_000,
  /** Pause between two fresh looks that decided nothing: doubles from the first to the second. */
  confirmRetryMs: 5_000,
  confirmRetryCapMs: 60_000,
  /** The same for the fresh look that asks whether a boot has brought the guest up. */
  verifyRetryMs: 1_000,
  verifyRetryCapMs: 10_000,
  /** Something moved within this: the boot goes on, and grace with it. */
  bootMovesMs: 15_000,
  /** Processes that were ended for want of memory within this of a VMM's end have to do with it. */
  oomMs: 10_000,
  /** How long the last words of a VMM whose process is gone are waited for. */
  lastWordsMs: 5_000,
  /** How long the first comparison of the guest's counters is waited for. */
  firstComparisonMs: 10_000,
  /** People are told once a guest that still works has kept a step from being taken for this long. */
  vetoToldMs: 600_000,
  /** A state that changed asks for a fresh look again no sooner than this after the last. */
  confirmGapMs: 1_000,
  /** How long a VMM may take to carry out what it announced itself (watchdog=reset, panic=shutdown …). */
  selfActionMs: 10_000,
  /** After an action that the runtime held, at least this long. */
  heldRetryMs: 1_000,
  /** Without an end this long after its timeout, an action is reported as overdue. */
  overdueMs: 30_000,
  /** Due VMs that a step looks at beside the one that its event is about; a turn of the event loop has hundreds of those. */
  lookedAtBeside: 4,
  /** … and one whose event is about no VM: a millisecond. */
  lookedAt: 100,
  bootWindowMs: 60_000,
  /** Boots are this far apart while the host is under pressure. */
  pressedBootGapMs: 5_000,
  /** A VM that has been unhealthy for longer does not count for the fleet brake, unless the brake holds it. */
  newlyUnhealthyMs: 1_800_000,
  dayMs: 86_400_000,
  /** The last moment that a date can name. */
  lastDateMs: 8.64e15,
  /** A guest that shuts down within this of the power button does so because of it. */
  powerdownMs: 600_000,
  /** Boots by the guest itself without health in between that are reported as a boot loop. */
  bootLoop: 5,
  /** Of those that share something at least this part must fail for it to be the cause. */
  sharedCausePart: 0.1,
  sharesKept: 16,
  /** VMs that an incident names; the others are counted. */
  namesTold: 10,
  /** Edit war: changes a minute, times in a row that more were wanted, and minutes a day with changes until we give in. */
  editsAMinute: 10,
  editThrottles: 3,
  editsADay: 5,
  attemptsKept: 32,
  evidenceKept: 16,
  textChars: 240,
} as const;

/** How long after a completed step its effect is waited for, at most; null: the VM's whole graceMs. */
export const STEP_GRACE_MS: Readonly<Record<LadderStep, number | null>> = {
  'continue-process': 10_000,
  'restart-service': 30_000,
  resume: 10_000,
  exec: 30_000,
  'reset-network': 30_000,
  cleanup: 30_000,
  start: null,
  reboot: null,
  reset: null,
  'power-cycle': null,
  recreate: null,
  escalate: 0,
};
