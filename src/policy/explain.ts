import type { LadderStep } from '../model/action.js';
import type { Evidence, HealthState } from '../model/health.js';
import type { VmId } from '../model/vm.js';
import { type Blocker, standingBlockers } from './blockers.js';
import { rollingUsed } from './budget.js';
import type { Episode, EpisodeRecord } from './episode.js';
import { quarantinedNext, sentences } from './sentences.js';
import { type ProbeSummary, probeSummaries, vmOf } from './summary.js';
import type { PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** Why the VM is as it is and what comes next. The same for people (`sentences`) and programs. */
export interface Explanation {
  readonly vm: VmId;
  readonly health: HealthState;
  readonly sinceMs: number;
  readonly sentences: readonly string[];
  /** Of what it fails of now, or of how it ended. */
  readonly evidence: readonly Evidence[];
  readonly episode: Episode | null;
  /** Oldest first, at most PolicyConfig.episodesKept. */
  readonly pastEpisodes: readonly Episode[];
  /** What holds a step, or would if it failed. */
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
  const standing = standingOf(state, vm, now);
  const recovery = vm.spec?.recovery;
  return {
    vm: id,
    health: vm.health,
    sinceMs: vm.healthSinceMs,
    sentences: sentences(state, vm, standing, now),
    evidence: evidenceOf(vm),
    episode: vm.episode ? copy(vm.episode) : null,
    pastEpisodes: vm.past.map(copy),
    holds: [...vm.blockers, ...standing]
      .filter((b) => b.untilMs === null || b.untilMs > now)
      .map(({ rule, text, untilMs }) => ({ rule, text, untilMs })),
    budget: {
      consecutiveUsed: vm.budget.consecutive,
      consecutiveMax: recovery?.maxConsecutive ?? 0,
      rolling24hUsed: rollingUsed(vm, now),
      rolling24hMax: recovery?.maxPer24h ?? 0,
    },
    next: nextOf(vm, now),
    probes: probeSummaries(vm),
  };
}

function nextOf(vm: PolicyVmState, now: number): Explanation['next'] {
  if (vm.next === null) return null;
  const text = 'it is quarantined instead, for its budget is used up';
  return quarantinedNext(vm, now) ? { ...vm.next, text } : { ...vm.next };
}

function copy(episode: EpisodeRecord): Episode {
  return { ...episode, attempts: episode.attempts.map((attempt) => ({ ...attempt })) };
}

function evidenceOf(vm: PolicyVmState): readonly Evidence[] {
  const ended = vm.running === false ? vm.ended?.diagnosis.evidence : undefined;
  return vm.verdict?.diagnosis.evidence ?? vm.episode?.diagnosis.evidence ?? ended ?? [];
}

/** What would hold if the VM, which runs and is left to automation, began to fail; what holds already is told as that. */
function standingOf(state: PolicyState, vm: PolicyVmState, now: number): Blocker[] {
  if (vm.running !== true || vm.maintenance || vm.quarantine || vm.suspended || vm.act) return [];
  const known = new Set(vm.blockers.map(({ rule }) => rule));
  return standingBlockers(state, vm).filter(
    ({ rule, untilMs }) => !known.has(rule) && (untilMs === null || untilMs > now),
  );
}
