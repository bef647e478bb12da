import { z } from 'zod';
import { LADDER_STEPS, SCHEDULABLE } from '../../model/action.js';
import { VmpulseError } from '../../model/errors.js';
import type { Outcome } from '../../model/outcome.js';
import type { VmmEvent } from '../../model/ports.js';
import type { ProbeKind } from '../../model/probe.js';
import type { Reason } from '../../model/reasons.js';
import type { RecoverySpec } from '../../model/vm.js';
import { ACT_VERBS, DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../policy/index.js';
import type { PolicyConfig, PolicyEvent } from '../../policy/types.js';

const MAX_PROBES = 1_000;

/** One thing that a journal says, as the replay needs it. */
export type Told =
  | ({ readonly type: 'daemon' } & DaemonStart)
  | { readonly type: 'event'; readonly event: PolicyEvent }
  | { readonly type: 'decided'; readonly vm: string; readonly step: string }
  /** An action on the VM begins. */
  | { readonly type: 'acts'; readonly vm: string }
  /** The wall clock of the host was set, since the last thing that was told. */
  | { readonly type: 'clock-set'; readonly byMs: number }
  /** A daemon that is about to begin has found that the one before died in an action. */
  | { readonly type: 'left-open' };

/** A daemon begins. Null: it did not say. */
export interface DaemonStart {
  /** It found what a former one had stored. */
  readonly remembers: boolean;
  /** When that had stored it last. */
  readonly storedAtMs: number | null;
  /** Of its host. */
  readonly limits: PolicyConfig | null;
}

export interface Line {
  readonly atMs: number;
  /** Null: nothing that a replay needs. */
  readonly told: Told | null;
}

const entryLine = z.looseObject({
  atMs: z.number(),
  vm: z.string().nullable(),
  type: z.string(),
  actionId: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});
type Entry = z.output<typeof entryLine>;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Every field that the defaults have is there and of the same type, so that a policy can be stepped with it. */
function isLike(value: unknown, defaults: object): boolean {
  return (
    isObject(value) && Object.entries(defaults).every(([key, usual]) => typeof value[key] === typeof usual)
  );
}

const vm = z.string().min(1).max(1024);
const short = z.string().max(4096);
const state = z.enum(['unknown', 'ok', 'failed', 'blind']);
// Reasons and kinds are only compared with those that are known: others mean nothing.
const reason = z.custom<Reason>((value) => typeof value === 'string');
const kind = z.custom<ProbeKind>((value) => typeof value === 'string');
const vmmEvent = z.custom<VmmEvent>((value) => isObject(value) && typeof value.type === 'string');
const outcome = z.custom<Outcome>(
  (value) =>
    isObject(value) && (value.result === 'ok' || (typeof value.result === 'string' && 'reason' in value)),
);
const step = z.enum(LADDER_STEPS);
const until = z.number().nullable();

const policyVm = z.object({
  id: vm,
  runStrategy: z.enum(['Always', 'RerunOnFailure', 'Manual', 'Halted', 'Once']),
  recovery: z.custom<RecoverySpec>((value) => isLike(value, DEFAULT_RECOVERY)),
  probes: z
    .array(
      z.object({
        name: short,
        role: z.enum(['liveness', 'readiness', 'startup', 'check']),
        kind,
        critical: z.boolean(),
        startState: state,
      }),
    )
    .max(MAX_PROBES),
  steps: z.array(step),
  mode: z.object({ kind: z.enum(['unmanaged', 'paused']), reason: short }).exactOptional(),
});

const limits = z.custom<PolicyConfig>((value) => isLike(value, DEFAULT_POLICY_CONFIG));

const input = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('vm-configured'),
    vm: policyVm,
    recounted: z.array(short).max(MAX_PROBES).exactOptional(),
  }),
  z.object({ type: z.literal('vm-removed'), vm }),
  z.object({ type: z.literal('vm-looked'), vm, running: z.boolean() }),
  z.object({
    type: z.literal('vm-attached'),
    vm,
    startedAtMs: z.number(),
    vmm: short,
    fresh: z.boolean(),
    status: short,
    shares: z.array(short).default([]),
    counters: z.boolean().default(false),
  }),
  z.object({ type: z.literal('confirmed'), vm, confirmId: short, outcomes: z.record(short, outcome) }),
  z.object({ type: z.literal('activity'), vm, moved: z.array(short), atMs: z.number() }),
  z.object({
    type: z.literal('action-held'),
    vm,
    actionId: short,
    // Journals of before there were hooks have none.
    rule: z.enum(['action-held', 'pre-start']).default('action-held'),
    reason: short,
    retryAtMs: z.number(),
  }),
  z.object({ type: z.literal('hold'), vm: vm.nullable(), reason: short, author: short, untilMs: until }),
  z.object({ type: z.literal('unhold'), vm: vm.nullable(), author: short }),
  z.object({
    type: z.literal('maintenance'),
    vm,
    author: short,
    begin: z.object({ reason: short, untilMs: until }).nullable(),
  }),
  z.object({
    type: z.literal('schedule'),
    vm,
    step: z.enum(SCHEDULABLE),
    author: short,
    reason: short,
  }),
  z.object({ type: z.literal('clear-intents'), vm: vm.nullable(), author: short }),
  z.object({ type: z.literal('release'), vm, author: short }),
  z.object({ type: z.literal('probes-reset'), vm, author: short, clearHistory: z.boolean() }),
  z.object({
    type: z.literal('act'),
    vm,
    act: z.object({
      id: short,
      verb: z.enum(ACT_VERBS),
      author: short,
      reason: short,
      untilMs: z.number(),
    }),
  }),
  z.object({ type: z.literal('act-ended'), vm, id: short, done: z.boolean(), text: short }),
  z.object({ type: z.literal('host-booted') }),
  z.object({ type: z.literal('limits'), limits }),
  z.object({ type: z.literal('journal'), available: z.boolean() }),
  z.object({ type: z.literal('journal-lost'), why: short }),
  z.object({ type: z.literal('gathering'), gathering: z.boolean() }),
  z.object({
    type: z.literal('host-signs'),
    signs: z.object({
      shutdown: short.nullable(),
      pressure: short.nullable(),
      memory: short.nullable(),
    }),
  }),
]);

const clockSet = z.object({ type: z.literal('clock-set'), byMs: z.number() });

const transition = z.object({
  probe: short,
  to: state,
  reason: reason.nullable(),
  count: z.number(),
  streakStartMs: z.number(),
  lastOkMs: z.number(),
});

const ended = z.discriminatedUnion('result', [
  z.object({ result: z.literal('done') }),
  z.object({ result: z.literal('failed'), code: short, message: short }),
  z.object({ result: z.literal('impossible'), code: short, message: short }),
]);

// Former versions did not journal all of it.
const daemon = z.object({
  version: z.string(),
  remembered: z.number().default(1),
  storedAtMs: z.number().nullable().default(null),
  limits: limits.nullable().default(null),
});

const decided = z.object({ kind: z.enum(['act', 'would']), step });

/** Reads one line of an export. Throws ERR_VMPULSE_ARGUMENT for what is no journal of this vmpulse. */
export function readLine(text: string, number: number): Line {
  try {
    const entry = entryLine.parse(JSON.parse(text));
    return { atMs: entry.atMs, told: toldBy(entry) };
  } catch (cause) {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `line ${number} is no entry of a journal of this vmpulse; make the file with vmpulse journal export`,
      { cause },
    );
  }
}

function toldBy({ type, vm: about, atMs, actionId, data }: Entry): Told | null {
  if (type === 'daemon') {
    // What else a daemon says of itself (that it ends, that it loaded something) has no version.
    if (data.version === undefined) return null;
    const { remembered, ...rest } = daemon.parse(data);
    return { type, remembers: remembered !== 0, limits: rest.limits, storedAtMs: rest.storedAtMs };
  }
  if (type === 'input') {
    const set = clockSet.safeParse(data.event);
    return set.success ? set.data : { type: 'event', event: input.parse(data.event) };
  }
  if (about === null) return null;
  switch (type) {
    case 'transition': {
      const { to, reason: why, ...rest } = transition.parse(data);
      const event = { type: 'probe', vm: about, state: to, atMs, ...rest } as const;
      return { type: 'event', event: why === null ? event : { ...event, reason: why } };
    }
    case 'vmm-event':
      return { type: 'event', event: { type, vm: about, event: vmmEvent.parse(data), atMs } };
    case 'action-end': {
      // One that was held has an input of its own; one that a daemon died in is looked at.
      if (data.result === 'unresolved') return { type: 'left-open' };
      if (actionId === null || data.result === 'held') return null;
      return {
        type: 'event',
        event: { type: 'action-ended', vm: about, actionId, result: ended.parse(data) },
      };
    }
    case 'action-start':
      return { type: 'acts', vm: about };
    case 'decision': {
      const found = decided.safeParse(data);
      return found.success ? { type: 'decided', vm: about, step: found.data.step } : null;
    }
    default:
      return null;
  }
}
