import type { VmId } from '../model/vm.js';
import { LIMITS } from './defaults.js';
import type { Rule } from './rules.js';
import type { Decision, DecisionKind, PolicyEffect, PolicyState } from './types.js';
import type { PolicyVmState } from './vm-state.js';

/** What one step gathers. */
export interface StepContext {
  readonly state: PolicyState;
  readonly now: number;
  readonly effects: PolicyEffect[];
  readonly decisions: Decision[];
  /** VMs that were looked at or forgotten. */
  readonly looked: VmId[];
  /** VMs that took a place in a queue during this step. */
  readonly queued: PolicyVmState[];
  /** Earliest wake asked for by the VM that is being looked at. */
  wakeAtMs: number;
  /** The VM that is being looked at wants a slot of the host. */
  wantsSlot: boolean;
}

export function newContext(state: PolicyState, now: number): StepContext {
  return {
    state,
    now,
    effects: [],
    decisions: [],
    looked: [],
    queued: [],
    wakeAtMs: Number.POSITIVE_INFINITY,
    wantsSlot: false,
  };
}

export interface Said {
  readonly vm: PolicyVmState | null;
  readonly kind: DecisionKind;
  readonly rule: Rule;
  readonly text: string;
  readonly actionId?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Records a decision. */
export function say(ctx: StepContext, said: Said): void {
  ctx.decisions.push({
    vm: said.vm?.id ?? null,
    kind: said.kind,
    rule: said.rule,
    text: said.text,
    actionId: said.actionId ?? null,
    data: said.data ?? {},
  });
}

/** Tells people, once per rule (or `key`) and episode. */
export function escalate(
  ctx: StepContext,
  vm: PolicyVmState,
  rule: Rule,
  text: string,
  key: string = rule,
): void {
  if (vm.told.escalated.includes(key)) return;
  vm.told.escalated.push(key);
  if (vm.told.escalated.length > LIMITS.attemptsKept) vm.told.escalated.shift();
  say(ctx, { vm, kind: 'escalate', rule, text });
  ctx.effects.push({ type: 'escalate', vm: vm.id, text });
}

/** Tells people of something that concerns the whole host. */
export function escalateHost(ctx: StepContext, rule: Rule, text: string): void {
  say(ctx, { vm: null, kind: 'escalate', rule, text });
  ctx.effects.push({ type: 'escalate', vm: null, text });
}

/** Asks to look at the VM again then; a time that has passed is not asked for. */
export function wakeAt(ctx: StepContext, atMs: number): void {
  if (atMs > ctx.now && atMs < ctx.wakeAtMs) ctx.wakeAtMs = atMs;
}
