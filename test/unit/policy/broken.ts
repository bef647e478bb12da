import type { LadderStep } from '../../../src/model/action.js';
import type { Invariant } from '../../../src/policy/invariant-list.js';
import type { PolicyState, StepResult } from '../../../src/policy/types.js';
import type { PolicyVmState } from '../../../src/policy/vm-state.js';
import { Stage, WEB } from './stage.js';

export interface Acted {
  readonly state: PolicyState;
  readonly vm: PolicyVmState;
  readonly result: StepResult;
  readonly now: number;
}

/** A policy that has just acted, by the book. */
export function acted(): Acted {
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
export const BROKEN: readonly (readonly [
  what: string,
  invariant: Invariant,
  breakIt: (a: Acted) => void,
  said: RegExp,
])[] = [
  [
    'two actions at once',
    'one-action',
    ({ vm }) => {
      vm.action = null;
    },
    /not the one action in flight/,
  ],
  ['no slot', 'one-action', ({ state }) => state.host.busy.clear(), /no slot of the host/],
  [
    'not configured',
    'permitted',
    ({ vm }) => {
      vm.spec = null;
    },
    /not configured/,
  ],
  [
    'quarantined',
    'budget',
    ({ vm }) => {
      vm.quarantine = { sinceMs: 0, rule: 'budget-24h', text: '' };
    },
    /quarantined/,
  ],
  [
    'suspended',
    'permitted',
    ({ vm }) => {
      vm.suspended = true;
    },
    /suspended/,
  ],
  [
    'journal',
    'permitted',
    ({ state }) => {
      state.host.journalHold = 'it could not be written';
    },
    /journal failed/,
  ],
  [
    'held',
    'permitted',
    ({ vm }) => {
      vm.hold = hold;
    },
    /ada holds recovery/,
  ],
  [
    'all held',
    'permitted',
    ({ state }) => {
      state.host.hold = hold;
    },
    /ada holds recovery/,
  ],
  [
    'in grace',
    'permitted',
    ({ vm, now }) => {
      vm.graceUntilMs = now + 1;
    },
    /in grace/,
  ],
  [
    'over the consecutive budget',
    'budget',
    ({ vm }) => {
      vm.budget.consecutive = 4;
    },
    /consecutive budget/,
  ],
  [
    'over the rolling budget',
    'budget',
    ({ vm }) => {
      vm.budget.rolling = Array(11).fill(0);
    },
    /budget of 24 hours/,
  ],
  [
    'too many boots',
    'budget',
    ({ state, now }) => {
      state.host.boots = Array(11).fill(now);
    },
    /boots in a minute/,
  ],
  [
    'too many at once',
    'one-action',
    ({ state }) => {
      for (const vm of ['x', 'y']) state.host.busy.add(vm);
    },
    /recoveries at once/,
  ],
  [
    'observe-only',
    'permitted',
    ({ vm }) => {
      if (vm.spec) vm.spec = { ...vm.spec, recovery: { ...vm.spec.recovery, enabled: false } };
    },
    /not enabled/,
  ],
  [
    'not supported',
    'permitted',
    ({ vm }) => {
      if (vm.spec) vm.spec = { ...vm.spec, steps: [] };
    },
    /not supported/,
  ],
  ['unknown', 'permitted', ({ state }) => state.vms.clear(), /not known/],
  [
    'the fleet brake',
    'permitted',
    ({ state }) => {
      state.host.brake = { sinceMs: 1, calmSinceMs: null, told: false };
    },
    /fleet brake/,
  ],
  [
    'an incident',
    'permitted',
    ({ state }) => {
      state.host.incident = { cause: 'host', sinceMs: 1, calmSinceMs: null, aloneSinceMs: null };
    },
    /incident/,
  ],
  [
    'a host that shuts down',
    'permitted',
    ({ state }) => {
      state.host.signs = { ...state.host.signs, shutdown: 'now' };
    },
    /shuts down/,
  ],
  [
    'a host without memory',
    'permitted',
    ({ state, vm }) => {
      state.host.signs = { ...state.host.signs, memory: '0 %' };
      takes(vm, 'start');
    },
    /short of memory/,
  ],
  [
    'migration',
    'permitted',
    ({ vm, now }) => {
      vm.facts.migratingAtMs = now;
    },
    /moved or saved/,
  ],
  [
    'maintenance',
    'permitted',
    ({ vm }) => {
      vm.maintenance = hold;
    },
    /works on its VM/,
  ],
  [
    'an edit war',
    'permitted',
    ({ vm }) => {
      vm.war.pausedAtMs = 1;
      takes(vm, 'continue-process');
    },
    /edit war/,
  ],
  [
    'a guest that works, on inferred evidence',
    'permitted',
    ({ vm, now }) => {
      if (vm.verdict) vm.verdict.conclusive = false;
      vm.activity = { ...vm.activity, watched: true, movedAtMs: now, comparisons: 1 };
    },
    /still works/,
  ],
  [
    'old evidence',
    'founded',
    ({ vm, now }) => {
      if (vm.verdict) Object.assign(vm.verdict, { conclusive: false, atMs: now - 60_000 });
    },
    /evidence is old/,
  ],
  [
    'no conclusion, as when inconclusive is taken for failed',
    'founded',
    ({ vm }) => {
      vm.verdict = null;
    },
    /nothing was concluded/,
  ],
  [
    'a diagnosis that is only told',
    'founded',
    ({ vm }) => {
      if (vm.verdict) vm.verdict.remedy = 'alert';
    },
    /not answered by an action/,
  ],
  ['a second VMM', 'one-vmm', ({ vm }) => takes(vm, 'start'), /its VMM runs/],
  [
    'queues without end',
    'bounded',
    ({ state }) => {
      state.host.queues.boot = Array(1_000).fill({ vm: WEB, ticket: 0, priority: 0 });
    },
    /places in a queue/,
  ],
  [
    'a fleet that is miscounted',
    'permitted',
    ({ state }) => {
      state.host.failing = new Set(Array.from({ length: 7 }, (_, i) => `gone/${i}`));
    },
    /counted as 7 failing/,
  ],
  [
    'something inconclusive, and nothing of it failed',
    'inconclusive',
    ({ vm, now }) => {
      if (vm.verdict) Object.assign(vm.verdict, { conclusive: false, atMs: now });
      for (const probe of vm.probes.values()) Object.assign(probe, { state: 'blind', latched: false });
    },
    /nothing of its VM failed/,
  ],
  [
    'a VM that fails, and nothing will follow',
    'acted-on',
    ({ vm, result }) => {
      Object.assign(vm, { action: null, health: 'unhealthy', blockers: [], wakeAtMs: null });
      Object.assign(result, { looked: [vm.id] });
    },
    /nothing will follow/,
  ],
  [
    'history without end',
    'bounded',
    ({ vm, result }) => {
      if (vm.episode) vm.past = Array(11).fill(vm.episode);
      Object.assign(result, { looked: [vm.id] });
    },
    /11 former episodes/,
  ],
];

/** The action that was carried out is another step. */
function takes(vm: PolicyVmState, step: LadderStep): void {
  if (vm.action) Object.assign(vm.action.action, { step });
}
