import type { Outcome } from '../../../src/model/outcome.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import type { Invariant } from '../../../src/policy/invariant-list.js';
import type { PolicyState } from '../../../src/policy/types.js';
import type { Recovery } from '../../../src/recovery/recovery.js';
import type { Finding } from '../../../src/sim/judge.js';
import type { Canary } from '../../../src/sim/sim-daemon.js';
import { simulateSeed } from '../../../src/sim/simulate.js';

const SEEDS = 4;

/** What is found with the canary; seeds are tried until something is. */
export async function find(canary: Canary, faults: readonly string[]): Promise<readonly Finding[]> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { findings } = await simulateSeed(
      {
        seed,
        vms: 24,
        hosts: 1,
        days: 3,
        faults,
        recoveries: [DEFAULT_RECOVERY],
        policy: DEFAULT_POLICY_CONFIG,
      },
      { canary },
    );
    if (findings.length > 0) return findings;
  }
  return [];
}

type Vms = (state: PolicyState) => Iterable<NonNullable<ReturnType<PolicyState['vms']['get']>>>;
const vmsOf: Vms = (state) => state.vms.values();

/** Believes that a step that was carried out has helped. */
function believe(state: PolicyState): void {
  for (const vm of vmsOf(state)) {
    if (vm.episode?.attempts.at(-1)?.result?.result !== 'done') continue;
    for (const probe of vm.probes.values())
      Object.assign(probe, { state: 'ok', seen: true, latched: false, reason: null });
    vm.graceUntilMs = null;
  }
}

function asFailed(outcome: Outcome): Outcome {
  return outcome.result === 'inconclusive' ? { result: 'failed', reason: 'response-timeout' } : outcome;
}

/** A step that is written around the rules of steps: nothing is proven, and no VMM is ended by it properly. */
const wasteful: Recovery = {
  async run(_action, { vm, driver, session }) {
    await session?.stop('force', { deadlineMs: 60_000 });
    await driver.start(vm, { deadlineMs: 60_000 });
    return { result: 'done' };
  },
};

/** Starts a VMM whatever runs. */
const doubling: Recovery = {
  async run(_action, { vm, driver }) {
    await driver.start(vm, { deadlineMs: 60_000 });
    return { result: 'done' };
  },
};

interface Case {
  /** What is broken; unset: something beside the invariants. */
  readonly breaks?: Invariant;
  readonly name: string;
  readonly canary: Canary;
  readonly faults: readonly string[];
  readonly found: RegExp;
}

export const CANARIES: readonly Case[] = [
  {
    breaks: 'permitted',
    name: 'the fleet brake and the shared cause are off',
    canary: { limits: (config) => ({ ...config, brakeMinVms: 1e6, sharedCauseMinVms: 1e6 }) },
    faults: ['bridge-down', 'boot-storm'],
    found: /VMs of its host fail|no fault of the VM permits/,
  },
  {
    breaks: 'budget',
    name: 'the budget in a row is off',
    canary: {
      configure: (spec) => ({
        ...spec,
        recovery: { ...spec.recovery, maxConsecutive: 100, maxPer24h: 1000 },
      }),
    },
    faults: ['crash-loop'],
    found: /actions in a row, 3 are allowed/,
  },
  {
    breaks: 'budget',
    name: 'the budget of 24 hours is off',
    canary: { configure: (spec) => ({ ...spec, recovery: { ...spec.recovery, maxPer24h: 1000 } }) },
    faults: ['crash-loop'],
    found: /actions in 24 hours, 10 are allowed/,
  },
  {
    breaks: 'founded',
    name: 'results of a former instance are accepted',
    canary: { tellsStale: true },
    faults: ['vmm-crash'],
    found: /no fault of the VM permits/,
  },
  {
    breaks: 'acted-on',
    name: 'a step that was carried out is taken for health',
    canary: { tamper: believe },
    faults: ['bad-deploy'],
    found: /was not acted on/,
  },
  {
    breaks: 'inconclusive',
    name: 'inconclusive is taken for failed',
    canary: { distort: asFailed },
    faults: ['prober-starvation', 'descriptor-limit', 'monitor-held'],
    found: /fail in truth|no fault of the VM permits/,
  },
  {
    breaks: 'permitted',
    name: 'the veto by guest I/O is off',
    canary: { configure: (spec) => ({ ...spec, recovery: { ...spec.recovery, vetoWindowMs: 0 } }) },
    faults: ['slow-boot'],
    found: /reset, which no fault of the VM permits/,
  },
  {
    breaks: 'permitted',
    name: 'grace is off as well',
    canary: {
      configure: (spec) => ({ ...spec, recovery: { ...spec.recovery, graceMs: 0, vetoWindowMs: 0 } }),
    },
    faults: ['slow-boot'],
    found: /reset during grace/,
  },
  {
    breaks: 'one-action',
    name: 'any number of recoveries at once',
    canary: { limits: (config) => ({ ...config, maxConcurrentRecoveries: 50 }) },
    faults: ['host-reboot'],
    found: /recoveries at once/,
  },
  {
    breaks: 'budget',
    name: 'any number of boots a minute',
    canary: { limits: (config) => ({ ...config, maxBootsPerMinute: 1000 }) },
    faults: ['host-reboot'],
    found: /boots in a minute/,
  },
  {
    breaks: 'permitted',
    name: 'a hold of a person is forgotten',
    canary: {
      tamper: (state) => {
        state.host.hold = null;
      },
    },
    faults: ['person-hold'],
    found: /a person holds all recovery/,
  },
  {
    breaks: 'permitted',
    name: 'the hold after a failure of the journal is forgotten',
    canary: {
      tamper: (state) => {
        state.host.journalHold = null;
      },
    },
    faults: ['journal-full'],
    found: /while the journal failed/,
  },
  {
    breaks: 'journalled',
    name: 'a journal that is gone is taken for one that begins',
    canary: { missesLoss: true },
    faults: ['journal-loss', 'vmm-crash'],
    found: /while the journal failed/,
  },
  {
    breaks: 'journalled',
    name: 'the journal acknowledges what it does not write',
    canary: { losesEntry: (entry) => entry.type === 'action-start' },
    faults: ['panic'],
    found: /without a durable entry/,
  },
  {
    breaks: 'proven-start',
    name: 'a VMM is ended without proof that it can be started',
    canary: { recoveries: { 'power-cycle': wasteful } },
    faults: ['vmm-wedged'],
    found: /without proof/,
  },
  {
    breaks: 'one-vmm',
    name: 'a second VMM is started beside the first',
    canary: { recoveries: { reset: doubling }, startsTwice: true },
    faults: ['hang-spin'],
    found: /a second VMM process was started/,
  },
  {
    breaks: 'one-action',
    name: 'the action in flight is forgotten',
    canary: {
      configure: (spec) => ({ ...spec, recovery: { ...spec.recovery, vetoWindowMs: 0 } }),
      tamper: (state, nowMs) => {
        for (const vm of vmsOf(state)) {
          if (vm.action === null) continue;
          vm.action = null;
          state.host.busy.delete(vm.id);
          // It is looked at in the next step.
          vm.wakeAtMs = nowMs;
          state.host.wakes.unshift({ atMs: nowMs, vm: vm.id });
        }
      },
    },
    faults: ['bad-deploy', 'slow-service', 'service-crash'],
    found: /is in flight|began twice|in a row/,
  },
  {
    breaks: 'bounded',
    name: 'episodes are kept for ever',
    canary: { limits: (config) => ({ ...config, episodesKept: 100_000 }) },
    faults: ['crash-loop'],
    found: /too many episodes/,
  },
  {
    breaks: 'permitted',
    name: 'a person who works on a VM is forgotten',
    canary: {
      tamper: (state) => {
        for (const vm of vmsOf(state)) vm.maintenance = null;
      },
    },
    faults: ['maintenance'],
    found: /which no fault of the VM permits/,
  },
  {
    breaks: 'permitted',
    name: 'scheduled maintenance does not wait for its window',
    canary: { configure: (spec) => ({ ...spec, recovery: { ...spec.recovery, actionWindows: [] } }) },
    faults: ['scheduled-reboot'],
    found: /reboot, which no fault of the VM permits/,
  },
  {
    name: 'what was scheduled is forgotten',
    canary: {
      tamper: (state) => {
        for (const vm of vmsOf(state)) vm.scheduled = null;
      },
    },
    faults: ['scheduled-reboot'],
    found: /its window is open, and it was not done/,
  },
  {
    breaks: 'bounded',
    name: 'an edit war goes on for ever',
    canary: {
      tamper: (state) => {
        for (const vm of vmsOf(state)) vm.war = { ...vm.war, day: [], pausedAtMs: null };
      },
    },
    faults: ['edit-war'],
    found: /edit-war: nobody was told, though we undid it 6 times/,
  },
  {
    breaks: 'permitted',
    name: 'a host that is short of memory starts VMMs',
    canary: {
      tamper: (state) => {
        state.host.signs = { ...state.host.signs, memory: null };
      },
    },
    faults: ['memory-pressure'],
    found: /start while the host is short of memory|start, which no fault of the VM permits/,
  },
  {
    name: 'a VM that fails stays in the list of endpoints',
    canary: {
      tamper: (state) => {
        for (const vm of vmsOf(state)) vm.ready = true;
      },
    },
    faults: ['bad-deploy'],
    found: /is in the list of endpoints and has not served/,
  },
  {
    name: 'VMs that serve are left out of the list of endpoints',
    canary: {
      tamper: (state) => {
        for (const vm of vmsOf(state)) vm.ready = false;
      },
    },
    faults: ['agent-death'],
    found: /it serves and is not in the list of endpoints/,
  },
  {
    breaks: 'acted-on',
    name: 'nothing is ever done',
    canary: {
      tamper: (state) => {
        state.host.journalHold = 'for ever';
      },
    },
    faults: ['vmm-crash'],
    found: /was not acted on/,
  },
];
