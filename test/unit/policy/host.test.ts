import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/policy/defaults.js';
import {
  assertInvariants,
  type PolicyEvent,
  restore,
  serialize,
  step,
  vmText,
} from '../../../src/policy/index.js';
import { Stage } from './stage.js';

const ids = (n: number) => Array.from({ length: n }, (_, i) => `test/vm-${i}`);

function fleet(n: number, config = {}): Stage {
  const s = new Stage(config);
  for (const id of ids(n)) s.healthy({ id });
  return s;
}

describe('what concerns all VMs of a large host', () => {
  it('is spread over steps, and nothing is done to a VM that was not looked at yet', () => {
    const s = new Stage();
    const ids = Array.from({ length: 500 }, (_, i) => `vm/${String(i).padStart(3, '0')}`);
    for (const id of ids) s.healthy({ id });
    s.advance(120_000);
    const looked = () => [...s.state.vms.values()].filter(({ stored }) => stored === null).length;
    for (const vm of s.state.vms.values()) vmText(vm);
    s.send({ type: 'hold', vm: null, reason: 'drill', author: 'ada', untilMs: null });
    expect(looked()).toBe(LIMITS.lookedAt);
    expect(s.wakeAtMs).toBe(s.now);
    s.vmm({ type: 'panicked', action: 'pause' }, 'vm/499');
    for (let turn = 0; turn < 500 / LIMITS.lookedAt; turn++) s.send({ type: 'tick' });
    expect(looked()).toBe(500);
    expect(s.steps).toEqual([]);
    expect(s.wakeAtMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(s.now);
  });
});

it('a step names every VM of which something changed that is stored', () => {
  const s = fleet(4, { sharedCauseMinVms: 2, brakeMinVms: 2 });
  const texts = () =>
    new Map([...s.state.vms.values()].map((vm) => [vm.id, JSON.stringify(vmText({ ...vm, stored: null }))]));
  const events: PolicyEvent[] = [
    ...ids(3).map(
      (vm): PolicyEvent => ({
        type: 'vmm-event',
        vm,
        event: { type: 'panicked', action: 'pause' },
        atMs: s.now,
      }),
    ),
    { type: 'hold', vm: null, reason: 'drill', author: 'ada', untilMs: null },
    { type: 'tick' },
    { type: 'unhold', vm: null, author: 'ada' },
    { type: 'hold', vm: 'test/vm-3', reason: 'drill', author: 'ada', untilMs: s.now + 1_000 },
    { type: 'release', vm: 'test/vm-0', author: 'ada' },
    { type: 'vm-removed', vm: 'test/vm-1' },
    { type: 'vm-removed', vm: 'test/vm-2' },
  ];
  const named = new Set<string>();
  for (const [n, event] of events.entries()) {
    const before = texts();
    const { looked } = step(s.state, event, s.now + n);
    for (const vm of looked) named.add(vm);
    const after = texts();
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      (vm) => before.get(vm) !== after.get(vm),
    );
    expect(looked).toEqual(expect.arrayContaining(changed));
  }
  expect([...named].toSorted()).toEqual(ids(4));
});

describe('the budget of the host', () => {
  it('carries out two recoveries at once, the others in the order in which they failed', () => {
    const s = fleet(5);
    for (const id of ids(5)) s.vmm({ type: 'panicked', action: 'pause' }, id);
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1']);
    expect(s.explain('test/vm-2').holds.map((h) => h.rule)).toEqual(['host-budget']);
    s.boot('test/vm-1');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1', 'test/vm-2']);
    s.boot('test/vm-0');
    s.boot('test/vm-2');
    expect(s.actions.map((a) => a.vm)).toEqual(ids(5));
  });

  it('spreads boots over the minutes, fairly', () => {
    const s = fleet(25, { maxConcurrentRecoveries: 100 });
    for (const id of ids(25)) s.vmm({ type: 'exited' }, id);
    expect(s.actions).toHaveLength(10);
    expect(s.explain('test/vm-10').holds.map((h) => h.rule)).toEqual(['boot-budget']);
    for (const { vm } of s.actions.slice()) s.boot(vm);
    s.advance(59_999);
    expect(s.actions).toHaveLength(10);
    s.advance(1);
    expect(s.actions).toHaveLength(20);
    s.advance(60_000);
    expect(s.actions.map((a) => a.vm)).toEqual(ids(25));
  });

  it('lets a step that boots nothing pass those that wait for a boot', () => {
    const s = fleet(3, { maxBootsPerMinute: 1 });
    s.vmm({ type: 'exited' }, 'test/vm-0');
    s.vmm({ type: 'exited' }, 'test/vm-1');
    s.probe('liveness', 'failed', 'connection-refused', 'test/vm-2');
    s.answer({ liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' });
    expect(s.actions.map((a) => [a.vm, a.step])).toEqual([
      ['test/vm-0', 'start'],
      ['test/vm-2', 'restart-service'],
    ]);
  });

  it('looks again when evidence has grown old in the queue, keeping the place', () => {
    const s = fleet(2, { maxConcurrentRecoveries: 1 });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-0');
    s.probe('liveness', 'failed', 'connection-refused', 'test/vm-1');
    const down = { liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' } as const;
    s.answer(down);
    s.advance(30_000);
    s.boot('test/vm-0');
    expect(s.actions, 'not on old evidence').toHaveLength(1);
    expect(s.asked?.vm).toBe('test/vm-1');
    s.answer(down);
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1']);
  });

  it('gives the slot on when the new look finds nothing', () => {
    const s = fleet(3, { maxConcurrentRecoveries: 1 });
    const down = { liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' } as const;
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-0');
    s.probe('liveness', 'failed', 'connection-refused', 'test/vm-1');
    s.answer(down);
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-2');
    s.advance(30_000);
    s.boot('test/vm-0');
    s.answer({ ...down, liveness: 'ok', readiness: 'ok' });
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-2']);
  });

  it('drops those from the queue that need nothing any more', () => {
    const s = fleet(4);
    for (const id of ids(4)) s.vmm({ type: 'panicked', action: 'pause' }, id);
    s.vmm({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' }, 'test/vm-2');
    s.boot('test/vm-0');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1', 'test/vm-3']);
  });

  it('frees the slot of a VM that is removed while it waits for a fresh look', () => {
    const s = fleet(3, { maxConcurrentRecoveries: 1 });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-0');
    s.probe('liveness', 'failed', 'connection-refused', 'test/vm-1');
    s.answer({ liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-2');
    s.advance(30_000);
    s.boot('test/vm-0');
    expect(s.asked?.vm).toBe('test/vm-1');
    s.send({ type: 'vm-removed', vm: 'test/vm-1' });
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-2']);
  });

  it('an impossible step gives its boot back', () => {
    const s = fleet(2, { maxBootsPerMinute: 1 });
    for (const id of ids(2)) s.vmm({ type: 'exited' }, id);
    s.end({ result: 'impossible', code: 'ERR_VMPULSE_START_IMPOSSIBLE', message: 'no disk' }, 'test/vm-0');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1']);
  });
});

describe('the cost of a step', () => {
  it('does not grow with the fleet: one event touches one VM', () => {
    const s = fleet(2_000);
    const wakes = s.state.host.wakes.length;
    const before = [...s.state.vms.values()].map((vm) => vm.wakeAtMs);
    for (let i = 0; i < 5_000; i++)
      s.probe('readiness', i % 2 === 0 ? 'failed' : 'ok', undefined, 'test/vm-7');
    expect(s.state.host.wakes.length).toBeLessThanOrEqual(Math.max(wakes, 2 * 2_000 + 64));
    const after = [...s.state.vms.values()].map((vm) => vm.wakeAtMs);
    expect(after.filter((at, i) => at !== before[i])).toHaveLength(0);
  });

  it('keeps heap and queues bounded while they churn', () => {
    const s = fleet(20, { maxConcurrentRecoveries: 1 });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-0');
    for (let i = 0; i < 5_000; i++) {
      s.now += 1;
      s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-1');
      s.vmm({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' }, 'test/vm-1');
    }
    expect(s.state.host.queues.boot.length).toBeLessThanOrEqual(2 * 20 + 64);
    expect(s.state.host.wakes.length).toBeLessThanOrEqual(2 * 20 + 65);
  });
});

describe('limits that change', () => {
  const failing = (s: Stage, n: number) => {
    for (const id of ids(n)) s.vmm({ type: 'panicked', action: 'pause' }, id);
  };

  it('hold for what begins from then on: narrower ones let what is under way end, and are no broken rule', () => {
    const s = fleet(5, { maxConcurrentRecoveries: 3, maxBootsPerMinute: 3 });
    s.advance(120_000);
    failing(s, 3);
    expect(s.steps).toHaveLength(3);
    // Every send asserts the invariants.
    s.send({
      type: 'limits',
      limits: { ...s.state.config, maxConcurrentRecoveries: 1, maxBootsPerMinute: 1 },
    });
    s.vmm({ type: 'panicked', action: 'pause' }, 'test/vm-3');
    expect(s.steps).toHaveLength(3);
    for (const id of ids(3)) s.boot(id);
    expect(s.steps).toHaveLength(3);
    s.advance(LIMITS.bootWindowMs);
    expect(s.steps).toHaveLength(4);
  });

  it('that are wider let those go on that wait', () => {
    const s = fleet(4, { maxConcurrentRecoveries: 1 });
    s.advance(120_000);
    failing(s, 3);
    expect(s.steps).toHaveLength(1);
    s.send({ type: 'limits', limits: { ...s.state.config, maxConcurrentRecoveries: 3 } });
    expect(s.steps).toHaveLength(3);
  });

  it('and are narrower after a restart leave the boots of before alone', () => {
    const s = fleet(3, { maxConcurrentRecoveries: 3, maxBootsPerMinute: 3 });
    s.advance(120_000);
    failing(s, 3);
    const restored = restore(serialize(s.state), { ...s.state.config, maxBootsPerMinute: 1 });
    const result = step(restored, { type: 'tick' }, s.now + 1);
    expect(() => assertInvariants(restored, result, s.now + 1)).not.toThrow();
    expect(restored.host.boots).toHaveLength(3);
  });
});
