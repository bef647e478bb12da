import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyEvent } from '../../../src/policy/types.js';
import { CONFIG, moves, perform, VMS } from './moves.js';
import { policyVm, Stage } from './stage.js';

const BRAKE = { brakeMinVms: 3, maxConcurrentRecoveries: 100, maxBootsPerMinute: 100 };
const ids = (n: number) => Array.from({ length: n }, (_, i) => `test/vm-${i}`);

function fleet(n: number, config = {}): Stage {
  const s = new Stage({ ...BRAKE, ...config });
  for (const id of ids(n)) s.healthy({ id });
  return s;
}

const panics = (s: Stage, ...vms: string[]) => {
  for (const vm of vms) s.vmm({ type: 'panicked', action: 'pause' }, vm);
};

const signs = (shutdown: string | null, pressure: string | null = null): PolicyEvent => ({
  type: 'host-signs',
  signs: { shutdown, pressure, memory: null },
});

describe('the fleet brake', () => {
  it('holds all recovery once 30 % of the fleet fail, at least three', () => {
    const s = fleet(10);
    panics(s, 'test/vm-0', 'test/vm-1', 'test/vm-2', 'test/vm-3');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/vm-1']);
    expect(s.explain('test/vm-2').holds.map((h) => h.rule)).toEqual(['fleet-brake']);
    expect(s.explain('test/vm-3').holds.map((h) => h.rule)).toEqual(['fleet-brake']);
    expect(s.decisions.find((d) => d.rule === 'fleet-brake')?.text).toMatch(/3 of 10 VMs fail/);
  });

  it.each([
    ['two of three are too few to say anything', 3, 2, false],
    ['three of eleven are less than 30 %', 11, 3, false],
    ['three of ten are 30 %', 10, 3, true],
    ['all three', 3, 3, true],
  ])('%s', (_, all, failing, holds) => {
    const s = fleet(all);
    panics(s, ...ids(failing));
    expect(s.state.host.brake !== null).toBe(holds);
  });

  it('lets go after the share was below for the cool-down, not before', () => {
    const s = fleet(10);
    panics(s, ...ids(4));
    for (const vm of ['test/vm-0', 'test/vm-1']) {
      s.boot(vm);
      s.allOk(vm);
    }
    s.advance(200_000);
    panics(s, 'test/vm-5');
    expect(s.steps, 'the cool-down starts over').toHaveLength(2);
    s.vmm({ type: 'reset', guest: false, reason: 'x' }, 'test/vm-5');
    s.allOk('test/vm-5');
    s.advance(299_999);
    expect(s.steps).toHaveLength(2);
    s.advance(1);
    expect(s.actions.map((a) => a.vm).slice(2)).toEqual(['test/vm-2', 'test/vm-3']);
    expect(s.rules().filter((r) => r === 'fleet-brake').length).toBeGreaterThan(1);
  });

  it('tells people once it has held for half an hour, once', () => {
    const s = fleet(10);
    panics(s, ...ids(5));
    s.advance(1_799_999);
    expect(s.escalations.filter((t) => t.includes('brake'))).toEqual([]);
    s.advance(86_400_000);
    expect(s.escalations.filter((t) => t.includes('brake'))).toHaveLength(1);
    expect(s.steps).toHaveLength(2);
  });

  it('is released by a person, and then engages only after the share was below', () => {
    const s = fleet(10);
    panics(s, ...ids(5));
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(s.actions.map((a) => a.vm)).toEqual(ids(5));
    panics(s, 'test/vm-6');
    expect(s.steps).toHaveLength(6);
    for (const { vm } of s.actions.slice()) {
      s.boot(vm);
      s.allOk(vm);
    }
    panics(s, 'test/vm-7', 'test/vm-8', 'test/vm-9');
    expect(s.steps, 'armed again').toHaveLength(8);
  });

  it('counts a quarantined VM in neither', () => {
    const s = fleet(6, { brakeRatio: 0.5 });
    for (const vm of ids(3)) {
      const state = s.state.vms.get(vm);
      if (state) state.quarantine = { sinceMs: s.now, rule: 'budget-24h', text: 'x' };
      panics(s, vm);
    }
    expect(s.state.host).toMatchObject({ counted: 3, failing: new Set(), brake: null });
  });

  it('is not engaged by what has been broken for long, and does not forget what it holds itself', () => {
    const s = fleet(10, { brakeMinVms: 3 });
    for (const id of ids(2)) {
      const runStrategy = 'Halted';
      s.send({ type: 'vm-configured', vm: policyVm({ id, runStrategy }) });
    }
    panics(s, ...ids(2));
    s.advance(1_800_000);
    panics(s, 'test/vm-2');
    expect(s.state.host.brake).toBeNull();
    panics(s, 'test/vm-3', 'test/vm-4');
    expect(s.state.host.brake).not.toBeNull();
    s.advance(7_200_000);
    expect(s.state.host.brake, 'held VMs stay counted').not.toBeNull();
  });

  it('survives a restart of the daemon', () => {
    const s = fleet(10);
    panics(s, ...ids(5));
    const next = s.restart();
    for (const id of ids(10)) next.send({ type: 'vm-configured', vm: policyVm({ id }) });
    for (const vm of ids(5)) next.attach({ vm, fresh: false, status: 'guest-panicked', startedAtMs: 0 });
    next.advance(60_000);
    expect(next.steps).toEqual([]);
    expect(next.state.host.brake?.sinceMs).toBe(s.state.host.brake?.sinceMs);
  });

  it('forgets VMs that are removed', () => {
    const s = fleet(4);
    panics(s, ...ids(2));
    for (const vm of ids(4)) s.send({ type: 'vm-removed', vm });
    expect(s.state.host).toMatchObject({ counted: 0, failing: new Set() });
  });

  it('never lets an action begin while it holds, and counts right, whatever happens', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const s = new Stage({ ...CONFIG, brakeMinVms: 2, brakeRatio: 0.6 });
        for (const id of VMS) s.healthy({ id });
        for (const move of list) {
          const since = s.state.host.brake?.sinceMs;
          const before = s.actions.length;
          const whole = move.move !== 'wait' && move.move !== 'unhold';
          perform(s, move);
          const held = whole && since !== undefined && s.state.host.brake?.sinceMs === since;
          if (held) expect(s.actions.slice(before).filter((a) => !startsUp(s, a.id))).toEqual([]);
          const vms = [...s.state.vms.values()];
          expect([...s.state.host.failing].toSorted()).toEqual(
            vms
              .filter((v) => v.fleet === 'failing')
              .map((v) => v.id)
              .toSorted(),
          );
          expect(s.state.host.counted).toBe(vms.filter((v) => v.fleet !== 'none').length);
        }
      }),
      { numRuns: 200 },
    );
  });
});

function startsUp(s: Stage, actionId: string): boolean {
  return s.decisions.some((d) => d.actionId === actionId && d.rule === 'start-up');
}

describe('a host that comes up', () => {
  function comingUp(priorities: readonly number[]): Stage {
    const s = new Stage({ ...BRAKE, maxConcurrentRecoveries: 1 });
    s.send({ type: 'gathering', gathering: true });
    priorities.forEach((startPriority, i) => {
      s.send({ type: 'vm-configured', vm: policyVm({ id: `test/vm-${i}`, recovery: { startPriority } }) });
      s.send({ type: 'vm-looked', vm: `test/vm-${i}`, running: false });
    });
    return s;
  }

  it('starts its VMs by priority, once all were looked at', () => {
    const s = comingUp([0, 5, 9, 5]);
    expect(s.steps).toEqual([]);
    expect(s.explain('test/vm-0').holds.map((h) => h.rule)).toEqual(['start-order']);
    s.send({ type: 'gathering', gathering: false });
    for (let i = 0; i < 3; i++) s.boot(s.actions.at(-1)?.vm);
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-2', 'test/vm-1', 'test/vm-3', 'test/vm-0']);
    expect(s.rules('act')).toEqual(Array(4).fill('start-up'));
  });

  it('brings back a VM that fails before those that were not started yet', () => {
    const s = comingUp([0, 0]);
    s.healthy({ id: 'test/failed' });
    s.send({ type: 'gathering', gathering: false });
    panics(s, 'test/failed');
    s.boot('test/vm-0');
    expect(s.actions.map((a) => a.vm)).toEqual(['test/vm-0', 'test/failed']);
  });

  it('is not held by the brake', () => {
    const s = fleet(3);
    panics(s, ...ids(3));
    expect(s.state.host.brake).not.toBeNull();
    s.send({ type: 'vm-configured', vm: policyVm({ id: 'test/new' }) });
    s.send({ type: 'vm-looked', vm: 'test/new', running: false });
    expect(s.actions.at(-1)).toMatchObject({ vm: 'test/new', step: 'start' });
  });
});

describe('a host that goes down', () => {
  it('starts nothing once its shutdown has begun, and goes on when that is withdrawn', () => {
    const s = fleet(2);
    s.send(signs('poweroff at noon'));
    panics(s, 'test/vm-0');
    s.send({ type: 'vm-configured', vm: policyVm({ id: 'test/new' }) });
    s.send({ type: 'vm-looked', vm: 'test/new', running: false });
    s.advance(600_000);
    expect(s.steps).toEqual([]);
    expect(s.explain('test/vm-0').holds.map((h) => h.rule)).toEqual(['host-shutdown']);
    s.send(signs(null));
    expect(s.steps).toEqual(['reset', 'start']);
  });
});

describe('a host under pressure', () => {
  it('boots one guest at a time, some seconds apart', () => {
    const s = fleet(3, { brakeMinVms: 100 });
    s.send(signs(null, 'cpu 97 %'));
    panics(s, ...ids(3));
    expect(s.steps).toHaveLength(1);
    expect(s.explain('test/vm-1').holds.map((h) => h.rule)).toEqual(['host-pressure']);
    s.boot('test/vm-0');
    expect(s.steps, 'not at once').toHaveLength(1);
    s.advance(5_000);
    expect(s.steps).toHaveLength(2);
    s.send(signs(null));
    expect(s.steps).toHaveLength(3);
  });
});
