import type { LadderStep } from '../model/action.js';
import type { Blocker } from './blockers.js';
import { escalate, type StepContext, say, wakeAt } from './context.js';
import { LIMITS } from './defaults.js';
import { utc } from './text.js';
import type { PolicyVmState } from './vm-state.js';

/** The step waits for what holds it. */
export function blocked(
  ctx: StepContext,
  vm: PolicyVmState,
  step: LadderStep,
  blockers: readonly Blocker[],
): void {
  for (const blocker of blockers) if (blocker.untilMs !== null) wakeAt(ctx, blocker.untilMs);
  vm.blockers = [...blockers];
  const [first] = blockers;
  if (!first) return;
  const open = blockers.some((b) => b.untilMs === null);
  const atMs = open ? null : Math.max(...blockers.map((b) => b.untilMs ?? 0));
  planned(vm, step, atMs, open ? 'once nothing holds it any more' : 'unless something else holds it by then');
  tellHold(ctx, vm, first, step);
  if (blockers.some(({ rule }) => rule === 'io-veto')) tellLongVeto(ctx, vm, step);
}

/** Something fails for long in a guest that works otherwise: nothing stronger will be done, so people must know. */
function tellLongVeto(ctx: StepContext, vm: PolicyVmState, step: LadderStep): void {
  const atMs = (vm.episode?.startedAtMs ?? ctx.now) + LIMITS.vetoToldMs;
  if (ctx.now < atMs) wakeAt(ctx, atMs);
  else
    escalate(
      ctx,
      vm,
      'io-veto',
      `${vm.id}: ${step} would be next, but its guest still works; a person is needed`,
    );
}

/** It waits for that alone. */
export function holdOnce(ctx: StepContext, vm: PolicyVmState, blocker: Blocker): void {
  if (blocker.untilMs !== null) wakeAt(ctx, blocker.untilMs);
  vm.blockers = [blocker];
  tellHold(ctx, vm, blocker, null);
}

/** Says a hold when it begins, not every time it is found again. */
export function tellHold(
  ctx: StepContext,
  vm: PolicyVmState,
  blocker: Blocker,
  step: LadderStep | null,
): void {
  // A veto is prolonged with every move of the guest, and is still one.
  const end = blocker.rule === 'io-veto' ? vm.activity.movedAtMs !== null : blocker.untilMs;
  const key = `${blocker.rule} ${step} ${end}`;
  if (vm.told.hold === key) return;
  vm.told.hold = key;
  const until = blocker.untilMs === null ? '' : ` (until ${utc(blocker.untilMs)})`;
  const what = step === null ? '' : `${step} waits: `;
  say(ctx, {
    vm,
    kind: 'hold',
    rule: blocker.rule,
    text: `${what}${blocker.text}${until}`,
    data: { step, untilMs: blocker.untilMs },
  });
}

/** What comes next, for explain. */
export function planned(vm: PolicyVmState, step: LadderStep, atMs: number | null, text: string): void {
  vm.next = { step, atMs, text };
}
