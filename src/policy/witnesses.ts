import type { LadderStep } from '../model/action.js';
import type { Evidence } from '../model/health.js';
import type { Blocker } from './blockers.js';
import { LIMITS } from './defaults.js';
import { vcpusMove } from './signals.js';
import { evidence, span, utc } from './text.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';

/** Whether the guest, as far as one source beside its probes can tell, still does something. */
interface Witness {
  readonly source: string;
  /** When the guest was last seen to do something; null: not since it is watched. */
  readonly movedAtMs: number | null;
  /** How often it was compared; 0: nothing can be said. */
  readonly comparisons: number;
  readonly sinceMs: number;
  readonly what: string;
}

/** Sources beside the probes, one function each; what is added here counts for evidence and veto alike. */
const WITNESSES: readonly ((vm: PolicyVmState) => Witness | null)[] = [counters];

/** Disk requests and packets sent by the guest. */
function counters({ activity }: PolicyVmState): Witness | null {
  if (!activity.watched) return null;
  return {
    source: 'guest I/O',
    movedAtMs: activity.movedAtMs,
    comparisons: activity.comparisons,
    sinceMs: activity.sinceMs,
    what: activity.moved,
  };
}

function witnessesOf(vm: PolicyVmState): Witness[] {
  return WITNESSES.flatMap((witness) => witness(vm) ?? []);
}

/** What the witnesses have seen, as evidence. */
export function witnessEvidence(vm: PolicyVmState, now: number): Evidence[] {
  return witnessesOf(vm).flatMap(({ source, movedAtMs, comparisons, sinceMs, what }) => {
    if (movedAtMs !== null) return [evidence(movedAtMs, source, `${what} moved`)];
    if (comparisons === 0) return [];
    return [evidence(sinceMs, source, `nothing has moved for ${span(now - sinceMs)}`)];
  });
}

/** Steps that take a guest away that may live. */
const ENDS_GUEST: ReadonlySet<LadderStep> = new Set(['reset', 'power-cycle']);

/** Within the window something moved in the guest: when it was, and what. */
export function movedLately(vm: PolicyVmState, now: number): { atMs: number; what: string } | null {
  const windowMs = vm.spec?.recovery.vetoWindowMs ?? 0;
  const latest = witnessesOf(vm)
    .flatMap(({ movedAtMs, what }) => (movedAtMs === null ? [] : [{ atMs: movedAtMs, what }]))
    .sort((a, b) => b.atMs - a.atMs)[0];
  return latest !== undefined && now < latest.atMs + windowMs ? latest : null;
}

/** No guest is taken away on inferred evidence while it does something, or before that is known. */
export function vetoBlocker(
  vm: PolicyVmState,
  step: LadderStep,
  verdict: Verdict | null,
  now: number,
): Blocker | null {
  const windowMs = vm.spec?.recovery.vetoWindowMs ?? 0;
  if (verdict === null || !isVetoable(step, verdict) || windowMs === 0) return null;
  const moved = movedLately(vm, now);
  if (moved !== null) {
    const text = `the guest still works: ${moved.what} moved at ${utc(moved.atMs)}`;
    return { rule: 'io-veto', text, untilMs: moved.atMs + windowMs };
  }
  const unknown = witnessesOf(vm).find(
    (w) => w.comparisons === 0 && now < w.sinceMs + LIMITS.firstComparisonMs,
  );
  if (unknown === undefined) return null;
  const text = `whether the guest still works is being found out (${unknown.source})`;
  return { rule: 'io-veto', text, untilMs: unknown.sinceMs + LIMITS.firstComparisonMs };
}

/** Nothing answers, yet the vCPUs take interrupts: a guest that is only busy may come back, so silence must last. */
export function progressBlocker(
  vm: PolicyVmState,
  step: LadderStep,
  verdict: Verdict | null,
  now: number,
): Blocker | null {
  if (verdict?.diagnosis.cause !== 'all-paths-dead' || !isVetoable(step, verdict) || !vcpusMove(vm))
    return null;
  const untilMs = (vm.episode?.startedAtMs ?? now) + (vm.spec?.recovery.wedgedAfterMs ?? 0);
  if (untilMs <= now) return null;
  const text = 'nothing in the guest answers, but its vCPUs take interrupts; it is ended only if that lasts';
  return { rule: 'vcpu-progress', text, untilMs };
}

export function isVetoable(step: LadderStep, verdict: Verdict): boolean {
  return ENDS_GUEST.has(step) && !verdict.conclusive;
}
