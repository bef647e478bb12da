import type { LadderStep } from '../model/action.js';
import type { Evidence, HealthState } from '../model/health.js';
import type { ActionRecord } from './actions.js';
import { type Blocker, isOwnHold } from './blockers.js';
import { backoffMs, exhausted, nextActionId, rollingUsed } from './budget.js';
import { brakeSentences, incidentSentences } from './company.js';
import { LIMITS } from './defaults.js';
import type { AttemptRecord, EpisodeRecord } from './episode.js';
import { bootsGuest, ladderFor, nextStep } from './ladder.js';
import { endOf } from './rule-ends.js';
import type { Rule } from './rules.js';
import { blindProbes, blindText, guestSeen, inGrace, isAsked } from './signals.js';
import { inTime, span, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

const FAILS: ReadonlySet<HealthState> = new Set(['unhealthy', 'recovering']);

/**
 * The story of a VM, each thing told once: how it is, what was seen, what that was taken for, what was done, what holds
 * and what would change that, what comes next. `standing`: what would hold if it failed.
 */
export function sentences(
  state: PolicyState,
  vm: PolicyVmState,
  standing: readonly Blocker[],
  now: number,
): string[] {
  const lead = FAILS.has(vm.health) ? 'Nothing more is done to it' : 'If it fails, nothing is done to it';
  return [
    `${vm.id} is ${vm.health} since ${utc(vm.healthSinceMs)} (${span(now - vm.healthSinceMs)}).`,
    ...probeSentences(vm),
    ...storySentences(vm, now),
    ...lookSentences(vm),
    ...vm.blockers
      .filter(({ untilMs }) => untilMs === null || untilMs > now)
      .flatMap((blocker) => [held(vm, blocker, now), ...whatEnds(state, vm, blocker, now)]),
    ...comingSentences(vm, now),
    ...standing.flatMap((blocker) => [
      `${lead} (rule ${blocker.rule}): ${blocker.text}${until(blocker, now)}.`,
      ...whatEnds(state, vm, blocker, now),
    ]),
    budgetSentence(vm, now),
  ];
}

function probeSentences(vm: PolicyVmState): string[] {
  const list: string[] = [];
  if (vm.running === false && vm.probes.size > 0)
    list.push('None of its probes is asked while it does not run.');
  if (vm.suspended) list.push('Its probes are suspended while it stands still.');
  for (const p of vm.probes.values()) {
    if (!isAsked(vm, p)) continue;
    const what = `Probe ${p.spec.name} (${p.spec.role})`;
    if (p.seen && p.state === 'failed')
      list.push(`${what} failed at ${utc(p.sinceMs)}: ${p.reason ?? 'no reason'}.`);
    else if (p.latched)
      list.push(`${what} answers again since ${utc(p.sinceMs)}, but a failed liveness probe holds.`);
  }
  const blind = blindProbes(vm).filter((p) => isAsked(vm, p));
  if (blind.length > 0 && !isHeldBy(vm, 'observer'))
    list.push(`Nothing conclusive comes from ${blindText(blind)}.`);
  return list;
}

function isHeldBy(vm: PolicyVmState, rule: Rule): boolean {
  return vm.blockers.some((blocker) => blocker.rule === rule);
}

function storySentences(vm: PolicyVmState, now: number): string[] {
  if (vm.episode) return episodeSentences(vm, vm.episode, now);
  if (vm.running !== false || vm.ended === null) return lastEpisode(vm);
  const { diagnosis, atMs } = vm.ended;
  return [`It ended at ${utc(atMs)}: ${diagnosis.kind} (${diagnosis.cause}).`, ...seen(diagnosis.evidence)];
}

function episodeSentences(vm: PolicyVmState, episode: EpisodeRecord, now: number): string[] {
  const { kind, cause, evidence } = episode.diagnosis;
  const inFlight = vm.action?.action.id;
  const list = [
    `Diagnosis at ${utc(episode.diagnosedAtMs)}: ${kind} (${cause}).`,
    ...seen(evidence),
    ...episode.attempts.filter(({ actionId }) => actionId !== inFlight).map(attemptSentence),
  ];
  const latest = vm.verdict?.diagnosis;
  if (latest && latest.cause !== cause) {
    list.push(`By now it is ${latest.kind} (${latest.cause}): ${latest.evidence.at(-1)?.text ?? ''}.`);
  }
  const endedAtMs = episode.attempts.at(-1)?.endedAtMs ?? Number.POSITIVE_INFINITY;
  const since = latest?.cause === cause ? latest.evidence.filter(({ atMs }) => atMs > endedAtMs) : [];
  if (since.length > 0) list.push('It fails of the same again.', ...seen(since));
  if (episode.healedAtMs !== null) {
    const stableAtMs = episode.healedAtMs + (vm.spec?.recovery.stableForMs ?? 0);
    list.push(
      `Health is back since ${utc(episode.healedAtMs)}; if it stays until ${inTime(stableAtMs, now)}, the episode is over.`,
    );
  }
  return list;
}

function seen(evidence: readonly Evidence[]): string[] {
  return evidence.map(({ atMs, source, text }) => `Seen at ${utc(atMs)} by ${source}: ${text}.`);
}

function attemptSentence(attempt: AttemptRecord): string {
  const began = `At ${utc(attempt.startedAtMs)}: ${attempt.step}`;
  if (attempt.endedAtMs === null || attempt.result === null) return `${began}, whose end was not seen.`;
  const { result } = attempt;
  const why = result.result === 'done' ? '' : ` (${result.message}) [${result.code}]`;
  return `${began}, ${result.result} after ${span(attempt.endedAtMs - attempt.startedAtMs)}${why}.`;
}

function lastEpisode(vm: PolicyVmState): string[] {
  const last = vm.past.at(-1);
  if (!last?.closedAtMs) return [];
  const did = last.attempts.map((a) => a.step).join(', ') || 'nothing was done';
  return [
    `Last episode: ${last.diagnosis.kind} (${last.diagnosis.cause}) at ${utc(last.startedAtMs)}, ${did}; ${last.outcome} at ${utc(last.closedAtMs)}.`,
  ];
}

function lookSentences(vm: PolicyVmState): string[] {
  const list: string[] = [];
  if (vm.confirm?.purpose === 'diagnose')
    list.push(`A fresh look at all its probes is under way since ${utc(vm.confirm.askedAtMs)}.`);
  if (vm.lookAtMs !== null) list.push(`The next fresh look at all its probes comes at ${utc(vm.lookAtMs)}.`);
  return list;
}

function until({ untilMs }: Blocker, now: number): string {
  return untilMs === null ? '' : `, until ${inTime(untilMs, now)}`;
}

function held(vm: PolicyVmState, blocker: Blocker, now: number): string {
  const { rule, text } = blocker;
  if (rule === 'quarantine' && vm.quarantine)
    return `Quarantined since ${utc(vm.quarantine.sinceMs)} (rule ${vm.quarantine.rule}): ${text}.`;
  if (rule === 'observer' && text === vm.doubt?.text)
    return `A fresh look settled nothing (rule ${rule}): ${text}.`;
  if (rule === 'unmanaged' || rule === 'reconcile-paused')
    return `Automation does nothing to it (rule ${rule}), by its annotation ${text}.`;
  return `Rule ${rule}: ${text}${until(blocker, now)}.`;
}

/** What would make the rule let go. */
function whatEnds(state: PolicyState, vm: PolicyVmState, blocker: Blocker, now: number): string[] {
  const { host } = state;
  const { rule } = blocker;
  const company =
    rule === 'fleet-brake' && host.brake !== null
      ? brakeSentences(state, host.brake, now)
      : rule === 'shared-cause' && host.incident !== null
        ? incidentSentences(state, host.incident, now)
        : [];
  const unlooked =
    company.length > 0 && vm.verdict === null && vm.episode === null && vm.health !== 'healthy';
  if (unlooked) company.push('What its failure means is found out after that.');
  const own = `\`vmpulse recovery resume --vm ${vm.id}\` ends the hold.`;
  const end = isOwnHold(blocker, vm) ? own : endOf(rule, vm);
  return end === '' ? company : [...company, end];
}

/** What is done now, or comes next, or would. */
function comingSentences(vm: PolicyVmState, now: number): string[] {
  if (vm.action) return vm.action.unresolved ? [] : inFlight(vm, vm.action, now);
  if (vm.next) return [nextSentence(vm, vm.next, now)];
  const { episode } = vm;
  const last =
    episode?.outcome === 'open' && episode.healedAtMs === null ? episode.attempts.at(-1) : undefined;
  if (!episode || !last?.endedAtMs || vm.running !== true) return [];
  if (inGrace(vm, now)) {
    const { kind } = episode.diagnosis;
    const after =
      last.cause === episode.diagnosis.cause ? whatFollows(vm, { kind, cause: last.cause }, now) : '';
    return after === '' ? [] : [`If its health is not back then, ${after}${notBefore(vm, now)}.`];
  }
  if (vm.blockers.length > 0 || guestSeen(vm)) return [];
  return [
    `Nothing fails that asks for more, but its guest was not heard since ${last.step}, ended at ${utc(last.endedAtMs)}.`,
  ];
}

function inFlight(vm: PolicyVmState, { action, startedAtMs, charged }: ActionRecord, now: number): string[] {
  const forMs = span(now - startedAtMs);
  const dueMs = startedAtMs + action.timeoutMs;
  const end =
    now < dueMs + LIMITS.overdueMs
      ? `it is given up at ${utc(dueMs)}`
      : `it should have ended by ${utc(dueMs)}, and nothing else is done until it has`;
  const after = charged ? whatFollows(vm, action.diagnosis, now) : '';
  return [
    `Now: ${named(action.step)} is being carried out since ${utc(startedAtMs)} (${forMs}); ${end}.`,
    ...(after === '' ? [] : [`If that does not help, ${after}.`]),
  ];
}

/** What answers the same failure if the last attempt did not help, as the rest of a sentence; empty: not known. */
function whatFollows(vm: PolicyVmState, diagnosis: Parameters<typeof ladderFor>[0], now: number): string {
  if (exhausted(vm, now)) return 'it is quarantined, for its budget is used up';
  const { step } = nextStep(vm, ladderFor(diagnosis), now);
  return step === null ? 'no step is left, and people are told' : `${named(step)} comes next`;
}

/** The back-off, or what a stopped VMM is given, where that lasts longer than the grace. */
function notBefore(vm: PolicyVmState, now: number): string {
  const { budget, spec, graceUntilMs } = vm;
  if (!spec || budget.tries === 0 || exhausted(vm, now)) return '';
  const id = nextActionId(vm, vm.episode?.startedAtMs ?? now);
  const backoffAtMs = budget.lastEndedAtMs + backoffMs(spec.recovery.backoff, budget.tries, id);
  const isStopped = vm.episode?.diagnosis.kind === 'vmm-stopped';
  const lastsAtMs = isStopped ? (vm.episode?.startedAtMs ?? now) + spec.recovery.wedgedAfterMs : 0;
  const atMs = Math.max(backoffAtMs, lastsAtMs);
  return atMs > (graceUntilMs ?? now) ? `, not before ${inTime(atMs, now)}` : '';
}

const IDLE: ReadonlySet<Rule> = new Set(['observe-only', 'unmanaged', 'reconcile-paused']);

function nextSentence(vm: PolicyVmState, next: NonNullable<PolicyVmState['next']>, now: number): string {
  const { step, atMs, text } = next;
  const when = atMs === null || atMs <= now ? '' : `, at ${inTime(atMs, now)}`;
  if (quarantinedNext(vm, now)) return `Next: quarantine${when}, for its budget is used up.`;
  return `${isIdle(vm) ? 'Would be next' : 'Next'}: ${step}${boots(step)}${when}, ${text}.`;
}

/** Once nothing holds the next step any more, no recovery is left for it. */
export function quarantinedNext(vm: PolicyVmState, now: number): boolean {
  return (
    vm.next !== null &&
    vm.action === null &&
    vm.verdict !== null &&
    !isIdle(vm) &&
    exhausted(vm, now) !== null
  );
}

function isIdle(vm: PolicyVmState): boolean {
  return vm.blockers.some(({ rule }) => IDLE.has(rule));
}

function named(step: LadderStep): string {
  const more = boots(step);
  return `${step}${more}${more === '' ? '' : ','}`;
}

function boots(step: LadderStep): string {
  return bootsGuest(step) ? ', which boots the guest anew' : '';
}

function budgetSentence(vm: PolicyVmState, now: number): string {
  const { maxConsecutive, maxPer24h } = vm.spec?.recovery ?? { maxConsecutive: 0, maxPer24h: 0 };
  const rolling = rollingUsed(vm, now);
  const used = `${vm.budget.consecutive} of ${maxConsecutive} recoveries in a row and ${rolling} of ${maxPer24h} in 24 hours are used`;
  const spent = exhausted(vm, now);
  // With as many as were used before, of which the limit may be lower now, the oldest that counts is the one to wait for.
  const oldest = vm.budget.rolling.at(-maxPer24h);
  const back =
    rolling >= maxPer24h && oldest !== undefined
      ? `; one is free again at ${inTime(oldest + LIMITS.dayMs, now)}`
      : '';
  // Who lets it out gives back the budget of those in a row, and not this one.
  const again =
    vm.quarantine && spent === 'budget-24h'
      ? '; let out before that, its next failure quarantines it again'
      : '';
  return spent && !vm.quarantine
    ? `${used}${back}; the next failure quarantines it.`
    : `${used}${back}${again}.`;
}
