import type { LadderStep } from '../model/action.js';
import type { Evidence, HealthState } from '../model/health.js';
import type { VmId } from '../model/vm.js';
import { exhausted, rollingUsed } from './budget.js';
import type { AttemptRecord, Episode, EpisodeRecord } from './episode.js';
import { bootsGuest } from './ladder.js';
import { RULES, type Rule } from './rules.js';
import { blindProbes, blindText } from './signals.js';
import { type ProbeSummary, probeSummaries, vmOf } from './summary.js';
import { span, utc } from './text.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Why the VM is as it is and what comes next. The same for people (`sentences`) and programs. */
export interface Explanation {
  readonly vm: VmId;
  readonly health: HealthState;
  readonly sinceMs: number;
  readonly sentences: readonly string[];
  readonly evidence: readonly Evidence[];
  readonly episode: Episode | null;
  /** Oldest first, at most PolicyConfig.episodesKept. */
  readonly pastEpisodes: readonly Episode[];
  readonly holds: readonly {
    readonly rule: string;
    readonly text: string;
    readonly untilMs: number | null;
  }[];
  readonly budget: {
    readonly consecutiveUsed: number;
    readonly consecutiveMax: number;
    readonly rolling24hUsed: number;
    readonly rolling24hMax: number;
  };
  readonly next: { readonly step: LadderStep; readonly atMs: number | null; readonly text: string } | null;
  readonly probes: readonly ProbeSummary[];
}

/**
 * Why the VM is as it is, what was done, what holds, and what comes next: sentences for people and the same facts as
 * data. Reads the state only. Times are wall-clock ms, in sentences UTC. Throws ERR_VMPULSE_VM_UNKNOWN.
 */
export function explain(state: PolicyState, id: VmId, now: number): Explanation {
  const vm = vmOf(state, id);
  const spent = exhausted(vm, now);
  const recovery = vm.spec?.recovery;
  return {
    vm: id,
    health: vm.health,
    sinceMs: vm.healthSinceMs,
    sentences: sentences(vm, now, spent),
    evidence: evidenceOf(vm),
    episode: vm.episode ? copy(vm.episode) : null,
    pastEpisodes: vm.past.map(copy),
    holds: vm.blockers
      .filter((b) => b.untilMs === null || b.untilMs > now)
      .map(({ rule, text, untilMs }) => ({ rule, text, untilMs })),
    budget: {
      consecutiveUsed: vm.budget.consecutive,
      consecutiveMax: recovery?.maxConsecutive ?? 0,
      rolling24hUsed: rollingUsed(vm, now),
      rolling24hMax: recovery?.maxPer24h ?? 0,
    },
    next: vm.next ? { ...vm.next } : null,
    probes: probeSummaries(vm),
  };
}

function copy(episode: EpisodeRecord): Episode {
  return { ...episode, attempts: episode.attempts.map((attempt) => ({ ...attempt })) };
}

function evidenceOf(vm: PolicyVmState): readonly Evidence[] {
  return vm.verdict?.diagnosis.evidence ?? vm.episode?.diagnosis.evidence ?? [];
}

function sentences(vm: PolicyVmState, now: number, spent: string | null): string[] {
  const list = [`${vm.id} is ${vm.health} since ${utc(vm.healthSinceMs)} (${span(now - vm.healthSinceMs)}).`];
  const { mode } = vm.spec ?? {};
  if (mode) list.push(`Automation does nothing to it: it is ${mode.kind} by its annotation ${mode.reason}.`);
  list.push(...probeSentences(vm));
  if (vm.episode) list.push(...episodeSentences(vm, vm.episode, now));
  else list.push(...lastEpisode(vm));
  if (vm.doubt?.rule === 'observer') list.push(`A fresh look settled nothing: ${vm.doubt.text}.`);
  if (vm.confirm?.purpose === 'diagnose') {
    list.push(`A fresh look at all its probes is under way since ${utc(vm.confirm.askedAtMs)}.`);
  }
  if (vm.lookAtMs !== null) list.push(`The next fresh look at all its probes comes at ${utc(vm.lookAtMs)}.`);
  for (const blocker of vm.blockers) {
    const until = blocker.untilMs === null ? '' : `, until ${utc(blocker.untilMs)}`;
    list.push(`Rule ${blocker.rule}: ${blocker.text}${until}. ${meaning(blocker.rule)}`);
    const change = whatWouldChange(blocker.rule);
    if (change !== '') list.push(change);
  }
  if (vm.next) list.push(nextSentence(vm, now));
  list.push(budgetSentence(vm, now, spent));
  return list;
}

function meaning(rule: Rule): string {
  return `(${RULES[rule]})`;
}

function probeSentences(vm: PolicyVmState): string[] {
  const list: string[] = [];
  for (const p of vm.probes.values()) {
    const what = `Probe ${p.spec.name} (${p.spec.role})`;
    if (p.seen && p.state === 'failed')
      list.push(`${what} failed at ${utc(p.sinceMs)}: ${p.reason ?? 'no reason'}.`);
    else if (p.latched)
      list.push(`${what} answers again since ${utc(p.sinceMs)}, but a failed liveness probe holds.`);
  }
  const blind = blindProbes(vm);
  if (blind.length > 0) list.push(`Nothing conclusive comes from ${blindText(blind)}.`);
  return list;
}

function episodeSentences(vm: PolicyVmState, episode: EpisodeRecord, now: number): string[] {
  const { kind, cause, evidence } = episode.diagnosis;
  const list = [`Diagnosis at ${utc(episode.diagnosedAtMs)}: ${kind} (${cause}).`];
  for (const e of evidence) list.push(`Seen at ${utc(e.atMs)} by ${e.source}: ${e.text}.`);
  for (const attempt of episode.attempts) list.push(attemptSentence(attempt));
  const latest = vm.verdict?.diagnosis;
  if (latest && latest.cause !== cause) {
    list.push(`By now it is ${latest.kind} (${latest.cause}): ${latest.evidence.at(-1)?.text ?? ''}.`);
  }
  if (vm.quarantine) {
    list.push(`Quarantined since ${utc(vm.quarantine.sinceMs)}: ${vm.quarantine.text}.`);
  } else if (episode.healedAtMs !== null) {
    const stableAtMs = episode.healedAtMs + (vm.spec?.recovery.stableForMs ?? 0);
    list.push(
      `Health is back since ${utc(episode.healedAtMs)}; if it stays until ${utc(stableAtMs)} (${span(stableAtMs - now)}), the episode is over.`,
    );
  }
  return list;
}

function attemptSentence(attempt: AttemptRecord): string {
  const began = `At ${utc(attempt.startedAtMs)}: ${attempt.step}`;
  if (attempt.endedAtMs === null || attempt.result === null) return `${began}, still in flight.`;
  const { result } = attempt;
  const why = result.result === 'done' ? '' : ` (${result.message})`;
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

function nextSentence(vm: PolicyVmState, now: number): string {
  if (!vm.next) return '';
  const { step, atMs, text } = vm.next;
  const boots = bootsGuest(step) ? ', which boots the guest anew' : '';
  if (atMs === null || atMs <= now) return `Next: ${step}${boots}, ${text}.`;
  return `Next: ${step}${boots}, at ${utc(atMs)} (in ${span(atMs - now)}), ${text}.`;
}

function budgetSentence(vm: PolicyVmState, now: number, spent: string | null): string {
  const { maxConsecutive, maxPer24h } = vm.spec?.recovery ?? { maxConsecutive: 0, maxPer24h: 0 };
  const used = `${vm.budget.consecutive} of ${maxConsecutive} recoveries in a row and ${rollingUsed(vm, now)} of ${maxPer24h} in 24 hours are used`;
  return spent && !vm.quarantine ? `${used}; the next failure quarantines it.` : `${used}.`;
}

/** What a person, or time, would have to do for the rule to let go. */
function whatWouldChange(rule: Rule): string {
  switch (rule) {
    case 'observe-only':
      return 'It would act if recovery were enabled in the configuration of this VM.';
    case 'unmanaged':
      return 'It would act if the annotation were removed from its manifest.';
    case 'reconcile-paused':
      return 'Removing the annotation from its manifest, and a reload, end this.';
    case 'person-hold':
      return '`vmpulse recovery resume` ends the hold.';
    case 'journal-unavailable':
      return '`vmpulse recovery resume` ends this hold once the journal can be written.';
    case 'quarantine':
      return '`vmpulse vm release` lets it out once somebody has looked at it.';
    case 'person-act':
      return 'It goes on once that has ended.';
    case 'person-stop':
    case 'external-stop':
      return 'Starting the VM, or `vmpulse vm release`, ends this.';
    case 'run-strategy':
      return 'Starting the VM by hand, or run strategy Always, changes this.';
    case 'api-silence':
      return 'If the guest falls silent, too, and that lasts, the VMM is ended and started again.';
    case 'storage':
      return 'Once the disk works again, resume the VM.';
    case 'observer':
      return 'The next conclusive result changes this.';
    case 'maintenance':
      return '`vmpulse vm maintenance end` ends this.';
    case 'suspended':
      return 'It goes on once that is over.';
    case 'paused':
      return 'Resuming the VM ends this.';
    case 'fleet-brake':
      return 'It goes on once fewer VMs fail for a while, or after `vmpulse recovery resume`.';
    case 'shared-cause':
      return 'It goes on once fewer of them fail for a while, or after `vmpulse recovery resume`.';
    case 'action-window':
      return '`vmpulse intent clear --vm` withdraws what is scheduled.';
    case 'edit-war':
      return '`vmpulse recovery resume --vm` lets it go on once it is clear who decides.';
    case 'host-memory':
      return 'It goes on by itself once there is memory.';
    case 'io-veto':
      return 'Once nothing has moved in the guest for its veto window, or it panics, the step is taken.';
    case 'correlation':
      return 'If nothing else fails that shares something with it, it is acted on then.';
    case 'host-shutdown':
      return 'The next boot of the host starts it again, if it is wanted.';
    case 'start-order':
    case 'host-pressure':
    case 'host-budget':
    case 'boot-budget':
      return 'It waits in the queue of this host and goes on by itself.';
    default:
      return '';
  }
}
