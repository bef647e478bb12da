import type { ActionResult, LadderStep, RecoveryAction } from '../../../src/model/action.js';
import { LADDER_STEPS } from '../../../src/model/action.js';
import type { Outcome, ProbeState } from '../../../src/model/outcome.js';
import type { VmmEvent } from '../../../src/model/ports.js';
import { type ProbeKind, type ProbeRole, startState } from '../../../src/model/probe.js';
import type { FailureReason, InconclusiveReason, Reason } from '../../../src/model/reasons.js';
import { isInconclusive } from '../../../src/model/reasons.js';
import type { RecoverySpec, RunStrategy, VmMode } from '../../../src/model/vm.js';
import {
  assertInvariants,
  createPolicy,
  DEFAULT_POLICY_CONFIG,
  DEFAULT_RECOVERY,
  type Decision,
  type Explanation,
  explain,
  type PolicyConfig,
  type PolicyEffect,
  type PolicyEvent,
  type PolicyProbe,
  type PolicyState,
  type PolicyVm,
  RULES,
  restore,
  serialize,
  step,
} from '../../../src/policy/index.js';

/** More VMs than any test has must fail. */
export const NO_BRAKE = { brakeMinVms: Number.MAX_SAFE_INTEGER, sharedCauseMinVms: Number.MAX_SAFE_INTEGER };

export const WEB = 'test/web';
export const START_MS = Date.UTC(2030, 0, 1);

export function probe(
  name: string,
  role: ProbeRole,
  kind: ProbeKind,
  critical = role === 'liveness',
): PolicyProbe {
  return { name, role, kind, critical, startState: startState(role) };
}

export const PROBES: readonly PolicyProbe[] = [
  probe('readiness', 'readiness', 'httpGet'),
  probe('liveness', 'liveness', 'httpGet'),
  probe('agent', 'check', 'guestAgentPing'),
  probe('api', 'check', 'vmState'),
  probe('process', 'check', 'vmmProcess'),
];

/** What a driver can do with a VM of usual configuration. */
const UNUSUAL: readonly LadderStep[] = ['exec', 'reset-network', 'cleanup', 'recreate'];
export const STEPS = LADDER_STEPS.filter((step) => !UNUSUAL.includes(step));

export interface VmOptions {
  readonly id?: string;
  readonly runStrategy?: RunStrategy;
  readonly recovery?: Partial<RecoverySpec>;
  readonly probes?: readonly PolicyProbe[];
  readonly steps?: readonly LadderStep[];
  readonly mode?: VmMode;
  readonly forceReconcile?: string;
}

export function policyVm(options: VmOptions = {}): PolicyVm {
  return {
    id: options.id ?? WEB,
    runStrategy: options.runStrategy ?? 'Always',
    recovery: { ...DEFAULT_RECOVERY, enabled: true, ...options.recovery },
    probes: options.probes ?? PROBES,
    steps: options.steps ?? STEPS,
    ...(options.forceReconcile === undefined ? {} : { forceReconcile: options.forceReconcile }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
  };
}

/** Outcomes by probe name in short: `ok`, a reason, or nothing for no answer. */
export type Fresh = Readonly<Record<string, 'ok' | Reason | undefined>>;

export function outcome(word: 'ok' | Reason): Outcome {
  if (word === 'ok') return { result: 'ok' };
  return isInconclusive(word)
    ? { result: 'inconclusive', reason: word satisfies InconclusiveReason }
    : { result: 'failed', reason: word as FailureReason };
}

/** Drives the policy by hand: a clock of its own, every effect and decision kept, the invariants checked at each step. */
export class Stage {
  now = START_MS;
  state: PolicyState;
  wakeAtMs: number | null = null;
  readonly effects: PolicyEffect[] = [];
  readonly decisions: Decision[] = [];
  readonly config: PolicyConfig;

  /** Without a brake unless asked for: most tests let all VMs fail that they have. */
  constructor(config: Partial<PolicyConfig> = {}, state?: PolicyState) {
    this.config = { ...DEFAULT_POLICY_CONFIG, ...NO_BRAKE, ...config };
    this.state = state ?? createPolicy(this.config);
  }

  send(event: PolicyEvent): readonly PolicyEffect[] {
    const result = step(this.state, event, this.now);
    this.state = result.state;
    this.wakeAtMs = result.wakeAtMs;
    assertInvariants(this.state, result, this.now);
    for (const { rule } of result.decisions) {
      if (!Object.hasOwn(RULES, rule))
        throw new Error(`decision with a rule that is not in the table: ${rule}`);
    }
    this.effects.push(...result.effects);
    this.decisions.push(...result.decisions);
    return result.effects;
  }

  /** Lets time pass, waking the policy whenever it asked for it. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (let turns = 0; this.wakeAtMs !== null && this.wakeAtMs <= until; turns++) {
      if (turns > 10_000) throw new Error('the policy asks to be woken again and again');
      if (this.wakeAtMs < this.now) throw new Error('the policy asks to be woken in the past');
      this.now = this.wakeAtMs;
      this.send({ type: 'tick' });
    }
    this.now = until;
  }

  /** A VM that runs and is healthy: configured, attached as fresh, all probes ok. */
  healthy(options: VmOptions = {}): this {
    const vm = policyVm(options);
    this.send({ type: 'vm-configured', vm });
    this.attach({ vm: vm.id });
    for (const { name } of vm.probes) this.probe(name, 'ok', undefined, vm.id);
    return this;
  }

  attach(
    options: {
      vm?: string;
      fresh?: boolean;
      status?: string;
      startedAtMs?: number;
      vmm?: string;
      shares?: string[];
      counters?: boolean;
    } = {},
  ): void {
    const {
      vm = WEB,
      fresh = true,
      status = 'running',
      startedAtMs = this.now,
      vmm = `started ${startedAtMs}`,
      shares = [],
      counters = false,
    } = options;
    this.send({ type: 'vm-attached', vm, vmm, fresh, status, startedAtMs, shares, counters });
  }

  probe(name: string, state: ProbeState, reason?: Reason, vm = WEB): void {
    this.send({
      type: 'probe',
      vm,
      probe: name,
      state,
      ...(reason === undefined ? {} : { reason }),
      atMs: this.now,
      streakStartMs: this.now - 2000,
      lastOkMs: this.now - 3000,
      count: 3,
    });
  }

  vmm(event: VmmEvent, vm = WEB): void {
    this.send({ type: 'vmm-event', vm, event, atMs: this.now });
  }

  /** The fresh look that was asked for last, if it is still waited for. */
  get asked(): Extract<PolicyEffect, { type: 'confirm' }> | undefined {
    const last = this.effects.findLast((e) => e.type === 'confirm');
    if (last?.type !== 'confirm') return undefined;
    return this.state.vms.get(last.vm)?.confirm?.id === last.confirmId ? last : undefined;
  }

  /** Answers the fresh look that was asked for last. */
  answer(fresh: Fresh): void {
    const { asked } = this;
    if (!asked) throw new Error('no fresh look was asked for');
    const outcomes = Object.fromEntries(
      Object.entries(fresh).flatMap(([name, word]) => (word === undefined ? [] : [[name, outcome(word)]])),
    );
    this.send({ type: 'confirmed', vm: asked.vm, confirmId: asked.confirmId, outcomes });
  }

  get actions(): RecoveryAction[] {
    return this.effects.flatMap((e) => (e.type === 'recover' ? [e.action] : []));
  }

  get steps(): LadderStep[] {
    return this.actions.map((a) => a.step);
  }

  get escalations(): string[] {
    return this.effects.flatMap((e) => (e.type === 'escalate' ? [e.text] : []));
  }

  inFlight(vm = WEB): RecoveryAction | undefined {
    return this.state.vms.get(vm)?.action?.action;
  }

  end(result: ActionResult = { result: 'done' }, vm = WEB): void {
    const action = this.inFlight(vm);
    if (!action) throw new Error(`no action of ${vm} is in flight`);
    this.send({ type: 'action-ended', vm, actionId: action.id, result });
  }

  fail(vm = WEB): void {
    this.end({ result: 'failed', code: 'ERR_VMPULSE_TIMEOUT', message: 'it did not work' }, vm);
  }

  /** What a driver does for a step that begins a new boot: new VMM or reset event, then done. */
  boot(vm = WEB): void {
    const action = this.inFlight(vm);
    if (action?.step === 'start' || action?.step === 'power-cycle') this.attach({ vm });
    else if (action?.step === 'resume') this.vmm({ type: 'resumed' }, vm);
    else this.vmm({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' }, vm);
    this.end({ result: 'done' }, vm);
  }

  allOk(vm = WEB): void {
    const probes = this.state.vms.get(vm)?.probes.keys() ?? [];
    for (const name of [...probes]) this.probe(name, 'ok', undefined, vm);
  }

  explain(vm = WEB): Explanation {
    return explain(this.state, vm, this.now);
  }

  health(vm = WEB): string | undefined {
    return this.state.vms.get(vm)?.health;
  }

  rules(kind?: Decision['kind']): string[] {
    return this.decisions.filter((d) => kind === undefined || d.kind === kind).map((d) => d.rule);
  }

  /** The daemon dies, and another one begins with what was stored. */
  restart(): Stage {
    const next = new Stage(this.config, restore(serialize(this.state), this.config));
    next.now = this.now;
    return next;
  }
}
