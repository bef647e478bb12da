// The policy and the thresholds alone: no engine, no journal, no clock.
import { Bench } from 'tinybench';
import { Thresholds } from '../../dist/engine/thresholds.js';
import { LADDER_STEPS } from '../../dist/model/action.js';
import { DEFAULT_TIMING, startState } from '../../dist/model/probe.js';
import {
  createPolicy,
  DEFAULT_POLICY_CONFIG,
  DEFAULT_RECOVERY,
  restore,
  serialize,
  step,
} from '../../dist/policy/index.js';

const START_MS = Date.UTC(2030, 0, 1);
const PROBES = [
  ['readiness', 'readiness', 'httpGet'],
  ['liveness', 'liveness', 'httpGet'],
  ['agent', 'check', 'guestAgentPing'],
  ['vm-state', 'check', 'vmState'],
  ['vmm-process', 'check', 'vmmProcess'],
].map(([name, role, kind]) => ({
  name,
  role,
  kind,
  critical: role === 'liveness',
  startState: startState(role),
}));
const REFUSED = { result: 'failed', reason: 'connection-refused' };
const OK = { result: 'ok' };

function idOf(n) {
  return `bench/vm-${n}`;
}

function changed(vm, probe, state, now, reason) {
  const event = {
    type: 'probe',
    vm,
    probe,
    state,
    atMs: now,
    streakStartMs: now,
    lastOkMs: START_MS,
    count: 3,
  };
  return reason === undefined ? event : { ...event, reason };
}

/** A fleet of healthy VMs with five probes each, recovery on; long past their grace. */
function healthyFleet(vms) {
  const state = createPolicy(DEFAULT_POLICY_CONFIG);
  const recovery = { ...DEFAULT_RECOVERY, enabled: true, restartService: ['/sbin/svc', 'restart', 'httpd'] };
  for (let n = 0; n < vms; n++) {
    const id = idOf(n);
    const vm = { id, runStrategy: 'Always', recovery, probes: PROBES, steps: LADDER_STEPS };
    step(state, { type: 'vm-configured', vm }, START_MS);
    step(
      state,
      { type: 'vm-attached', vm: id, startedAtMs: START_MS, vmm: id, fresh: true, status: 'running' },
      START_MS,
    );
    for (const { name } of PROBES) step(state, changed(id, name, 'ok', START_MS), START_MS);
  }
  const now = START_MS + 3_600_000;
  step(state, { type: 'tick' }, now);
  for (const vm of state.vms.values())
    if (vm.health !== 'healthy') throw new Error(`${vm.id} is ${vm.health}`);
  return { state, now };
}

/** Typical times (medians) of a policy step for a VM of which nothing changed, a threshold step, storing and reading a fleet. */
export async function policySteps({ vms, rounds, timeMs }) {
  const { state, now } = healthyFleet(vms);
  const rows = serialize(state);
  const thresholds = new Thresholds('unknown');
  const again = (n) => step(state, changed(idOf(n), 'readiness', 'ok', now), now);
  const everyVmAgain = () => {
    for (let n = 0; n < vms; n++) again(n);
  };
  let next = 0;
  const result = { stepUs: [], thresholdNs: [], storeAllMs: [], storeOneMs: [], restoreMs: [] };
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({
      ...{ time: timeMs, iterations: 3, warmupTime: timeMs / 5, warmupIterations: 1 },
      throws: true,
    })
      .add('step', () => {
        next = (next + 1) % vms;
        again(next);
      })
      .add('threshold', () => {
        // A thousand at once: one is too short to be timed.
        for (let i = 0; i < 1000; i++) thresholds.observe(i % 3 === 0 ? REFUSED : OK, now, DEFAULT_TIMING, 3);
      })
      .add('store-all', () => void serialize(state), { beforeEach: everyVmAgain })
      .add('store-one', () => void serialize(state), { beforeEach: () => void again(0) })
      .add('restore', () => void restore(rows, DEFAULT_POLICY_CONFIG));
    await bench.run();
    const typicalMs = (name) => bench.getTask(name).result.latency.p50;
    result.stepUs.push(typicalMs('step') * 1000);
    // Milliseconds of a thousand, so microseconds of one.
    result.thresholdNs.push(typicalMs('threshold') * 1000);
    result.storeAllMs.push(typicalMs('store-all'));
    result.storeOneMs.push(typicalMs('store-one'));
    result.restoreMs.push(typicalMs('restore'));
  }
  return { ...result, stateBytes: [...rows.values()].join('').length };
}

/** Every VM fails two probes at once, a fresh look agrees, every VM has its diagnosis or is held as one of many: time in the policy, and its longest step. */
export function policyOutage({ vms }) {
  const { state, now } = healthyFleet(vms);
  const confirms = [];
  let worstMs = 0;
  let wakeAtMs = null;
  const timed = (event) => {
    const startedAt = performance.now();
    const { effects, wakeAtMs: next } = step(state, event, now);
    wakeAtMs = next;
    worstMs = Math.max(worstMs, performance.now() - startedAt);
    confirms.push(...effects.filter(({ type }) => type === 'confirm'));
  };
  const startedAt = performance.now();
  for (const probe of ['readiness', 'liveness']) {
    for (let n = 0; n < vms; n++) timed(changed(idOf(n), probe, 'failed', now, REFUSED.reason));
  }
  const outcomes = { readiness: REFUSED, liveness: REFUSED, agent: OK, 'vm-state': OK, 'vmm-process': OK };
  // As the loop that owns the policy does it: fresh looks are answered, and what one step leaves for the next is asked for.
  while (confirms.length > 0 || (wakeAtMs !== null && wakeAtMs <= now)) {
    timed({ type: 'tick' });
    for (const { vm, confirmId } of confirms.splice(0)) timed({ type: 'confirmed', vm, confirmId, outcomes });
  }
  const totalMs = performance.now() - startedAt;
  for (const { id, episode, blockers } of state.vms.values())
    if (episode === null && blockers.length === 0) throw new Error(`${id} was not judged`);
  return { totalMs, worstMs };
}
