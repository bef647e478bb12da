import { type LadderStep, NEW_INSTANCE_STEPS } from '../model/action.js';
import type { Diagnosis } from '../model/health.js';
import { STEP_GRACE_MS } from './defaults.js';
import { LADDERS, type Ladder } from './ladders.js';
import type { PolicyVmState } from './vm-state.js';

const NOTHING: Ladder = { steps: [], repeatLast: false };

/** What answers a diagnosis. */
export function ladderFor({ kind, cause }: Pick<Diagnosis, 'kind' | 'cause'>): Ladder {
  const answers = LADDERS.filter((entry) => entry.kind === kind);
  return answers.find((entry) => entry.cause === cause) ?? answers.find((e) => e.cause === null) ?? NOTHING;
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
