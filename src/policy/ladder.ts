import { type LadderStep, NEW_INSTANCE_STEPS } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import { STEP_GRACE_MS } from './defaults.js';
import type { PolicyVmState } from './vm-state.js';

export interface Ladder {
  /** Mildest first; each is tried once. */
  readonly steps: readonly LadderStep[];
  /** The strongest step that can be carried out is repeated until the budget ends it. */
  readonly repeatLast: boolean;
}

const NOTHING: Ladder = { steps: [], repeatLast: false };

/** What answers a diagnosis. */
export function ladderFor(diagnosis: Pick<Diagnosis, 'kind' | 'cause'>): Ladder {
  switch (diagnosis.kind) {
    case 'vmm-dead':
    case 'intended':
      return { steps: ['start'], repeatLast: true };
    case 'guest-hung':
      return { steps: ['reset', 'power-cycle', 'recreate'], repeatLast: true };
    case 'service':
      return diagnosis.cause === 'agent-unreachable'
        ? { steps: ['reboot', 'reset', 'power-cycle'], repeatLast: true }
        : { steps: ['restart-service', 'exec', 'reboot', 'reset', 'power-cycle'], repeatLast: true };
    case 'network':
      return { steps: ['reset-network', 'reboot'], repeatLast: false };
    case 'resource':
      return { steps: ['cleanup', 'exec'], repeatLast: false };
    case 'storage':
      return diagnosis.cause === 'disk-full' ? { steps: ['resume'], repeatLast: true } : NOTHING;
    case 'host-memory':
      return { steps: ['start'], repeatLast: true };
    case 'vmm-stopped':
      return { steps: ['continue-process', 'power-cycle'], repeatLast: true };
    case 'vmm-wedged':
      return { steps: ['power-cycle'], repeatLast: true };
    default:
      return NOTHING;
  }
}

/** Attempts of this step in the open episode; one that turned out impossible is none. */
export function attemptsOf(vm: PolicyVmState, step: LadderStep): number {
  const attempts = vm.episode?.attempts ?? [];
  return attempts.filter((a) => a.step === step && a.result?.result !== 'impossible').length;
}

export type NextStep =
  | { readonly step: LadderStep }
  /** Every step that is left is impossible for now. */
  | { readonly step: null; readonly retryAtMs: number | null };

/** The next step of the ladder: the first that the driver supports, that is possible, and that was not tried yet. */
export function nextStep(vm: PolicyVmState, ladder: Ladder, now: number): NextStep {
  const supported = ladder.steps.filter((step) => vm.spec?.steps.includes(step) === true);
  const possible = supported.filter((step) => (vm.impossible[step] ?? 0) <= now);
  const fresh = possible.find((step) => attemptsOf(vm, step) === 0);
  const last = ladder.repeatLast ? possible.at(-1) : undefined;
  const step = fresh ?? last;
  if (step !== undefined) return { step };
  const blocked = supported.flatMap((s) => vm.impossible[s] ?? []).filter((untilMs) => untilMs > now);
  return { step: null, retryAtMs: blocked.length > 0 ? Math.min(...blocked) : null };
}

/** How long a completed step is given to show its effect. */
export function graceAfter(vm: PolicyVmState, step: LadderStep): number {
  const graceMs = vm.spec?.recovery.graceMs ?? 0;
  return Math.min(graceMs, STEP_GRACE_MS[step] ?? graceMs);
}

export function bootsGuest(step: LadderStep): boolean {
  return NEW_INSTANCE_STEPS.has(step);
}
