import { describe, expect, it } from 'vitest';
import type { LadderStep } from '../../../src/model/action.js';
import { isVmpulseError } from '../../../src/model/errors.js';
import { assertInvariants, type PolicyState, type StepResult } from '../../../src/policy/index.js';
import type { PolicyVmState } from '../../../src/policy/vm-state.js';
import { Stage, WEB } from './stage.js';

interface Acted {
  readonly state: PolicyState;
  readonly vm: PolicyVmState;
  readonly result: StepResult;
  readonly now: number;
}

/** A policy that has just acted, by the book. */
function acted(): Acted {
  const s = new Stage().healthy();
  s.vmm({ type: 'panicked', action: 'pause' });
  const vm = s.state.vms.get(WEB);
  if (!vm) throw new Error('not known');
  const { state, effects, decisions } = s;
  const result: StepResult = { state, effects, decisions, looked: [], wakeAtMs: null };
  return { state: s.state, vm, result, now: s.now };
}

const hold = { reason: 'drill', author: 'ada', sinceMs: 0, untilMs: null };

/** One broken policy per invariant: what it did, and what is said of it. */
const BROKEN: readonly (readonly [what: string, breakIt: (a: Acted) => void, said: RegExp])[] = [
  [
    'two actions at once',
    ({ vm }) => {
      vm.action = null;
    },
    /not the one action in flight/,
  ],
  ['no slot', ({ state }) => state.host.busy.clear(), /no slot of the host/],
  [
    'not configured',
    ({ vm }) => {
      vm.spec = null;
    },
    /not configured/,
  ],
  [
    'quarantined',
    ({ vm }) => {
      vm.quarantine = { sinceMs: 0, rule: 'budget-24h', text: '' };
    },
    /quarantined/,
  ],
  [
    'suspended',
    ({ vm }) => {
      vm.suspended = true;
    },
    /suspended/,
  ],
  [
    'journal',
    ({ state }) => {
      state.host.journalHold = 'it could not be written';
    },
    /journal failed/,
  ],
  [
    'held',
    ({ vm }) => {
      vm.hold = hold;
    },
    /ada holds recovery/,
  ],
  [
    'all held',
    ({ state }) => {
      state.host.hold = hold;
    },
    /ada holds recovery/,
  ],
  [
    'in grace',
    ({ vm, now }) => {
      vm.graceUntilMs = now + 1;
    },
    /in grace/,
  ],
  [
    'over the consecutive budget',
    ({ vm }) => {
      vm.budget.consecutive = 4;
    },
    /consecutive budget/,
  ],
  [
    'over the rolling budget',
    ({ vm }) => {
      vm.budget.rolling = Array(11).fill(0);
    },
    /budget of 24 hours/,
  ],
  [
    'too many boots',
    ({ state, now }) => {
      state.host.boots = Array(11).fill(now);
    },
    /boots in a minute/,
  ],
  [
    'too many at once',
    ({ state }) => {
      for (const vm of ['x', 'y']) state.host.busy.add(vm);
    },
    /recoveries at once/,
  ],
  [
    'observe-only',
    ({ vm }) => {
      if (vm.spec) vm.spec = { ...vm.spec, recovery: { ...vm.spec.recovery, enabled: false } };
    },
    /not enabled/,
  ],
  [
    'not supported',
    ({ vm }) => {
      if (vm.spec) vm.spec = { ...vm.spec, steps: [] };
    },
    /not supported/,
  ],
  ['unknown', ({ state }) => state.vms.clear(), /not known/],
  [
    'the fleet brake',
    ({ state }) => {
      state.host.brake = { sinceMs: 1, calmSinceMs: null, told: false };
    },
    /fleet brake/,
  ],
  [
    'an incident',
    ({ state }) => {
      state.host.incident = { cause: 'host', sinceMs: 1, calmSinceMs: null, aloneSinceMs: null };
    },
    /incident/,
  ],
  [
    'a host that shuts down',
    ({ state }) => {
      state.host.signs = { ...state.host.signs, shutdown: 'now' };
    },
    /shuts down/,
  ],
  [
    'a host without memory',
    ({ state, vm }) => {
      state.host.signs = { ...state.host.signs, memory: '0 %' };
      takes(vm, 'start');
    },
    /short of memory/,
  ],
  [
    'migration',
    ({ vm, now }) => {
      vm.facts.migratingAtMs = now;
    },
    /moved or saved/,
  ],
  [
    'maintenance',
    ({ vm }) => {
      vm.maintenance = hold;
    },
    /works on its VM/,
  ],
  [
    'an edit war',
    ({ vm }) => {
      vm.war.pausedAtMs = 1;
      takes(vm, 'continue-process');
    },
    /edit war/,
  ],
  [
    'a guest that works, on inferred evidence',
    ({ vm, now }) => {
      if (vm.verdict) vm.verdict.conclusive = false;
      vm.activity = { ...vm.activity, watched: true, movedAtMs: now, comparisons: 1 };
    },
    /still works/,
  ],
  [
    'old evidence',
    ({ vm, now }) => {
      if (vm.verdict) Object.assign(vm.verdict, { conclusive: false, atMs: now - 60_000 });
    },
    /evidence is old/,
  ],
  [
    'no conclusion, as when inconclusive is taken for failed',
    ({ vm }) => {
      vm.verdict = null;
    },
    /nothing was concluded/,
  ],
  [
    'a diagnosis that is only told',
    ({ vm }) => {
      if (vm.verdict) vm.verdict.remedy = 'alert';
    },
    /not answered by an action/,
  ],
  ['a second VMM', ({ vm }) => takes(vm, 'start'), /its VMM runs/],
  [
    'queues without end',
    ({ state }) => {
      state.host.queues.boot = Array(1_000).fill({ vm: WEB, ticket: 0, priority: 0 });
    },
    /places in a queue/,
  ],
  [
    'a fleet that is miscounted',
    ({ state }) => {
      state.host.failing = new Set(Array.from({ length: 7 }, (_, i) => `gone/${i}`));
    },
    /counted as 7 failing/,
  ],
];

/** The action that was carried out is another step. */
function takes(vm: PolicyVmState, step: LadderStep): void {
  if (vm.action) Object.assign(vm.action.action, { step });
}

describe('the live assertion', () => {
  it('has nothing to say of a policy that keeps its rules', () => {
    const { state, result, now } = acted();
    expect(() => assertInvariants(state, result, now)).not.toThrow();
  });

  it.each(BROKEN)('catches a policy that acts although: %s', (_, breakIt, said) => {
    const a = acted();
    breakIt(a);
    let error: unknown;
    try {
      assertInvariants(a.state, a.result, a.now);
    } catch (caught) {
      error = caught;
    }
    expect(isVmpulseError(error, 'ERR_VMPULSE_INTERNAL')).toBe(true);
    expect(String(error)).toMatch(said);
  });

  it('catches two actions for one VM in one step', () => {
    const { state, result, now } = acted();
    const twice = { ...result, effects: [...result.effects, ...result.effects] };
    expect(() => assertInvariants(state, twice, now)).toThrow(/two actions in one step/);
  });
});
