import type { LadderStep } from '../model/action.js';
import type { Blocker } from './blockers.js';
import { type StepContext, say } from './context.js';
import { LIMITS } from './defaults.js';
import { utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** How often we changed something back that others had changed. */
export interface EditWar {
  /** Changes that are still free; they come back over time. */
  tokens: number;
  atMs: number;
  throttledUntilMs: number;
  /** Times in a row that none was free. */
  throttles: number;
  /** Minutes of the last day in which we changed something back, by their beginning, oldest first. */
  day: number[];
  /** We have given in; only a person lets us go on. */
  pausedAtMs: number | null;
}

export function newWar(): EditWar {
  return {
    tokens: LIMITS.editsAMinute,
    atMs: 0,
    throttledUntilMs: 0,
    throttles: 0,
    day: [],
    pausedAtMs: null,
  };
}

const MINUTE_MS = 60_000;

/** Steps that change back what somebody else may have set on purpose. */
const CHANGES_BACK: ReadonlySet<LadderStep> = new Set(['continue-process', 'resume', 'reset-network']);

export function changesBack(step: LadderStep): boolean {
  return CHANGES_BACK.has(step);
}

/** We change something back. Says whether that was once too often; who gets `paused` gives in. */
export function noteEdit(war: EditWar, now: number): 'free' | 'throttled' | 'paused' {
  war.day = war.day.filter((atMs) => atMs > now - LIMITS.dayMs);
  // What follows within the minute is for the fast count: five at once would leave it nothing to find.
  if (now - (war.day.at(-1) ?? Number.NEGATIVE_INFINITY) >= MINUTE_MS)
    war.day = [...war.day, now].slice(-LIMITS.editsADay);
  const refill = ((now - war.atMs) / MINUTE_MS) * LIMITS.editsAMinute;
  war.tokens = Math.min(LIMITS.editsAMinute, war.tokens + Math.max(0, refill)) - 1;
  war.atMs = now;
  const isFree = war.tokens >= 1;
  war.throttles = isFree ? 0 : war.throttles + 1;
  if (!isFree) war.throttledUntilMs = now + MINUTE_MS / LIMITS.editsAMinute;
  const tooOften = war.throttles >= LIMITS.editThrottles || war.day.length >= LIMITS.editsADay;
  if (!tooOften) return isFree ? 'free' : 'throttled';
  war.pausedAtMs = now;
  return 'paused';
}

/** Why we have given in, for a person. */
export function whyGivenIn({ throttles, day }: EditWar, step: LadderStep): string {
  return throttles >= LIMITS.editThrottles
    ? `${step} was undone more than ${LIMITS.editsAMinute} times a minute`
    : `${step} was undone ${day.length} times within a day`;
}

/** A person lets us change back again what others change. `who`: the beginning of the sentence that says so. */
export function endWar(ctx: StepContext, vm: PolicyVmState, who: string): void {
  const { pausedAtMs } = vm.war;
  vm.war = newWar();
  if (pausedAtMs === null) return;
  const text = `${who}: it is not left any more as others have wanted it since ${utc(pausedAtMs)}`;
  say(ctx, { vm, kind: 'note', rule: 'edit-war', text });
}

/** What keeps us from changing it back now. */
export function warBlocker(war: EditWar, step: LadderStep, now: number): Blocker | null {
  if (!changesBack(step)) return null;
  if (war.pausedAtMs !== null) {
    const text = `others undo what we do: paused since ${utc(war.pausedAtMs)}`;
    return { rule: 'edit-war', text, untilMs: null };
  }
  if (war.throttledUntilMs <= now) return null;
  const text = `others undo what we do, ${LIMITS.editsAMinute} times a minute`;
  return { rule: 'edit-war', text, untilMs: war.throttledUntilMs };
}
