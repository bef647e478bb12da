import type { Diagnosis } from './health.js';
import type { VmId } from './vm.js';

/** Steps of the recovery ladder that exist today, mildest first. */
export const LADDER_STEPS = [
  'continue-process',
  'resume',
  'restart-service',
  'exec',
  'reset-network',
  'cleanup',
  'start',
  'reboot',
  'reset',
  'power-cycle',
  'recreate',
  'escalate',
] as const;

export type LadderStep = (typeof LADDER_STEPS)[number];

/** Steps that a person can schedule. */
export const SCHEDULABLE = ['reboot', 'cleanup', 'exec'] as const satisfies readonly LadderStep[];

/** Steps after which the guest is a new boot. */
export const NEW_INSTANCE_STEPS: ReadonlySet<LadderStep> = new Set([
  'start',
  'reboot',
  'reset',
  'power-cycle',
  'recreate',
]);

/** Steps after which the VMM is a new process. */
export const NEW_VMM_STEPS: ReadonlySet<LadderStep> = new Set(['start', 'power-cycle', 'recreate']);

/** A recovery action that the policy asks for. */
export interface RecoveryAction {
  /** Unique, ordered, and stable across a restart of the daemon. */
  readonly id: string;
  readonly vm: VmId;
  readonly step: LadderStep;
  /** 1 for the first attempt of this step in the episode. */
  readonly attempt: number;
  readonly diagnosis: Diagnosis;
  /** The runtime gives up after this. */
  readonly timeoutMs: number;
}

export type ActionResult =
  | { readonly result: 'done' }
  /** It was tried and did not work. */
  | { readonly result: 'failed'; readonly code: string; readonly message: string }
  /** It was not tried, and trying would be wrong (proof of start failed, vetoed, not supported). */
  | { readonly result: 'impossible'; readonly code: string; readonly message: string };
