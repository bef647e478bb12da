import type { Diagnosis, Evidence } from '../model/health.js';
import { type StepContext, say, wakeAt } from './context.js';
import type { Ended } from './exits.js';
import type { HoldRecord } from './people.js';
import { bounded, evidence, orderEvidence, utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** What a person can have vmpulse do to a VM. */
export const ACT_VERBS = [
  'start',
  'stop',
  'restart',
  'reset',
  'pause',
  'resume',
  'snapshot',
  'recreate',
  'delete',
] as const;

export type ActVerb = (typeof ACT_VERBS)[number];

/** One such act. While it lasts automation does nothing to the VM. */
export interface Act {
  readonly id: string;
  readonly verb: ActVerb;
  readonly author: string;
  readonly reason: string;
  readonly sinceMs: number;
  /** It is given up for lost then: whoever carried it out has died. */
  readonly untilMs: number;
}

/** An act, and whether it has begun or waits for an action of automation to end. */
export interface ActInFlight extends Act {
  running: boolean;
}

/** A person wants something done. An act of a daemon that died is replaced by the one that takes it up. */
export function noteAct(ctx: StepContext, vm: PolicyVmState, act: Omit<Act, 'sinceMs'>): void {
  const { id, verb, author, reason, untilMs } = act;
  const written = { author: bounded(author), reason: bounded(reason) };
  vm.act = { id, verb, ...written, sinceMs: ctx.now, untilMs, running: false };
  say(ctx, {
    vm,
    kind: 'hold',
    rule: 'person-act',
    text: `${written.author} has it ${DONE[verb]}: ${written.reason}`,
  });
}

/** After these the VM runs, and is to. */
const ENDS_RUNNING: ReadonlySet<ActVerb> = new Set(['start', 'restart', 'recreate']);

const DONE: Readonly<Record<ActVerb, string>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  reset: 'reset',
  pause: 'paused',
  resume: 'resumed',
  snapshot: 'saved',
  recreate: 'made anew',
  delete: 'deleted',
};

/** Lets the act begin once nothing else is in flight, and keeps automation away until it ends. */
export function followAct(ctx: StepContext, vm: PolicyVmState, act: ActInFlight): void {
  if (!act.running) {
    act.running = true;
    if (act.verb === 'stop' || act.verb === 'delete') vm.off = offBy(act);
    ctx.effects.push({ type: 'act', vm: vm.id, id: act.id });
  }
  wakeAt(ctx, act.untilMs);
  const text = `${act.author} has it ${DONE[act.verb]} since ${utc(act.sinceMs)}: ${act.reason}`;
  vm.blockers = [{ rule: 'person-act', text, untilMs: act.untilMs }];
}

function offBy({ author, reason, sinceMs }: Act): HoldRecord {
  return { author, reason, sinceMs, untilMs: null };
}

/** Nobody carries it out any more. */
export function expireAct(ctx: StepContext, vm: PolicyVmState): void {
  if (!vm.act || vm.act.untilMs > ctx.now) return;
  say(ctx, {
    vm,
    kind: 'note',
    rule: 'person-act',
    text: `${vm.act.verb} was not ended in time; it is given up`,
  });
  vm.act = null;
}

export function noteActEnded(
  ctx: StepContext,
  vm: PolicyVmState,
  event: { readonly id: string; readonly done: boolean; readonly text: string },
): void {
  const { act } = vm;
  if (act?.id !== event.id) return;
  vm.act = null;
  const { verb, author } = act;
  if (event.done && ENDS_RUNNING.has(verb)) vm.off = null;
  if (vm.off && !event.done && vm.running !== false) vm.off = null;
  const how = event.done ? 'done' : 'failed';
  say(ctx, {
    vm,
    kind: 'result',
    rule: 'person-act',
    text: `${verb} for ${author} ${how}: ${bounded(event.text)}`,
  });
}

/** The VMM ended by the hand of a person, through vmpulse; null: not so. */
export function endedByPerson(vm: PolicyVmState, atMs: number, words: readonly Evidence[]): Ended | null {
  const { act, off } = vm;
  // Between its end and its new start a person's act is what brings it back; if that fails, we do.
  const anew = act?.running === true && ENDS_RUNNING.has(act.verb);
  const by = off ?? (anew ? act : null);
  if (!by) return null;
  const diagnosis: Diagnosis & { kind: 'intended' } = {
    kind: 'intended',
    cause: 'operator-stop',
    evidence: orderEvidence([...words, evidence(by.sinceMs, 'operator', `${by.author}: ${by.reason}`)]),
  };
  return { atMs, back: off ? 'never' : 'failure', bySignal: false, diagnosis };
}
