import type { ActionResult, LadderStep } from '../model/action.js';
import type { Diagnosis, DiagnosisCause, Evidence } from '../model/health.js';
import { countFailure, giveBack } from './budget.js';
import { type StepContext, say, wakeAt } from './context.js';
import { healthBack, inGrace } from './signals.js';
import { span } from './text.js';
import type { Verdict } from './verdict.js';
import type { PolicyVmState } from './vm-state.js';

/** One attempt of an episode. */
export interface Attempt {
  readonly actionId: string;
  readonly step: LadderStep;
  /** The diagnosis at that time; it may change from attempt to attempt, `Episode.diagnosis` names the first one acted on. */
  readonly cause: DiagnosisCause;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly result: ActionResult | null;
}

/** From the first evidence of a failure to health being back and stable, or to giving up. */
export interface Episode {
  readonly diagnosis: Diagnosis;
  /** First evidence. */
  readonly startedAtMs: number;
  /** When the diagnosis stood. */
  readonly diagnosedAtMs: number;
  readonly attempts: readonly Attempt[];
  /** Health was back. */
  readonly healedAtMs: number | null;
  /** Stable since long enough; the episode is over. */
  readonly closedAtMs: number | null;
  readonly outcome: 'open' | 'recovered' | 'quarantined' | 'resolved-itself' | 'intended';
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An episode while it is being written. */
export type EpisodeRecord = Mutable<Omit<Episode, 'attempts'>> & { attempts: AttemptRecord[] };

export type AttemptRecord = Mutable<Episode['attempts'][number]>;

/** A failure has a name: opens an episode, or notes what became of the open one. */
export function noteVerdict(ctx: StepContext, vm: PolicyVmState, verdict: Verdict): void {
  const { diagnosis } = verdict;
  if (vm.episode === null || vm.episode.outcome !== 'open') {
    archive(ctx, vm);
    vm.episode = newEpisode(diagnosis, ctx.now);
  } else if (vm.episode.attempts.length === 0) {
    vm.episode.diagnosis = diagnosis;
  }
  const name = `${diagnosis.kind}/${diagnosis.cause}`;
  if (vm.told.diagnosis !== name) {
    vm.told.diagnosis = name;
    const seen = diagnosis.evidence.map((e) => e.text).join('; ');
    say(ctx, {
      vm,
      kind: 'diagnosis',
      rule: `diagnosis/${diagnosis.kind}`,
      text: `${diagnosis.kind} (${diagnosis.cause}): ${seen}`,
      data: { diagnosis },
    });
  }
  relapse(ctx, vm);
}

function newEpisode(diagnosis: Diagnosis, now: number): EpisodeRecord {
  return {
    diagnosis,
    startedAtMs: firstEvidence(diagnosis.evidence, now),
    diagnosedAtMs: now,
    attempts: [],
    healedAtMs: null,
    closedAtMs: null,
    outcome: 'open',
  };
}

function firstEvidence(list: readonly Evidence[], now: number): number {
  return list.reduce((first, e) => (e.atMs > 0 && e.atMs < first ? e.atMs : first), now);
}

/** It fails (again): the last attempt did not help, and health was not stable. */
function relapse(ctx: StepContext, vm: PolicyVmState): void {
  const { episode } = vm;
  if (!episode) return;
  if (episode.healedAtMs !== null) {
    const forMs = ctx.now - episode.healedAtMs;
    episode.healedAtMs = null;
    say(ctx, {
      vm,
      kind: 'note',
      rule: 'relapse',
      text: `the failure came back after ${span(forMs)} of health`,
    });
  }
  if (episode.attempts.at(-1)?.endedAtMs) countFailure(vm, ctx.now);
}

/** Nothing speaks against the VM: is health back, and has it been back for long enough? */
export function noteFine(ctx: StepContext, vm: PolicyVmState): void {
  const { episode } = vm;
  if (episode?.outcome !== 'open') return;
  const tried = episode.attempts.length > 0;
  if (episode.healedAtMs === null) {
    if (!healthBack(vm, ctx.now, inGrace(vm, ctx.now))) return;
    episode.healedAtMs = ctx.now;
    const after = span(ctx.now - episode.startedAtMs);
    const last = episode.attempts.at(-1);
    say(ctx, {
      vm,
      kind: 'note',
      rule: 'healed',
      ...(last === undefined ? {} : { actionId: last.actionId }),
      text: `health is back ${after} after the first evidence; it must stay for ${span(stableForMs(vm))}`,
    });
  }
  const stableAtMs = episode.healedAtMs + stableForMs(vm);
  if (ctx.now < stableAtMs) {
    wakeAt(ctx, stableAtMs);
    return;
  }
  if (tried) giveBack(vm);
  const attempts = episode.attempts.length;
  close(ctx, vm, tried ? 'recovered' : 'resolved-itself');
  say(ctx, {
    vm,
    kind: 'recovered',
    rule: 'stable',
    text: tried
      ? `healthy for ${span(stableForMs(vm))} after ${attempts} attempt${attempts === 1 ? '' : 's'}; the consecutive budget is given back`
      : `healthy again for ${span(stableForMs(vm))} without anything having been done`,
    data: { diagnosis: { kind: episode.diagnosis.kind, cause: episode.diagnosis.cause }, attempts },
  });
}

function stableForMs(vm: PolicyVmState): number {
  return vm.spec?.recovery.stableForMs ?? 0;
}

/** The VM ended and is not wanted back: that is a short story, told once. */
export function noteStopped(ctx: StepContext, vm: PolicyVmState, diagnosis: Diagnosis): boolean {
  const key = `stopped/${diagnosis.cause}/${vm.ended?.atMs}`;
  if (vm.told.diagnosis === key) return false;
  if (vm.episode?.outcome !== 'open') {
    archive(ctx, vm);
    vm.episode = newEpisode(diagnosis, ctx.now);
  } else if (vm.episode.attempts.length === 0) {
    vm.episode.diagnosis = diagnosis;
  }
  close(ctx, vm, 'intended');
  vm.told.diagnosis = key;
  return true;
}

/** Ends the open episode. A quarantined one stays in view until a person lets the VM out. */
export function close(ctx: StepContext, vm: PolicyVmState, outcome: Episode['outcome']): void {
  if (vm.episode?.outcome !== 'open') return;
  vm.episode.outcome = outcome;
  vm.episode.closedAtMs = ctx.now;
  if (outcome !== 'quarantined') archive(ctx, vm);
}

/** Moves the episode to the past and forgets what was told in it. */
export function archive(ctx: StepContext, vm: PolicyVmState): void {
  if (vm.episode) {
    vm.past.push(vm.episode);
    while (vm.past.length > ctx.state.config.episodesKept) vm.past.shift();
    vm.episode = null;
  }
  vm.told = { hold: '', would: '', escalated: [], diagnosis: '' };
}
