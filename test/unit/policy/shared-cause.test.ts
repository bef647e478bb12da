import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONFIG, moves, perform, VMS } from './moves.js';
import { policyVm, Stage } from './stage.js';

const LIMITS = { sharedCauseMinVms: 3, maxConcurrentRecoveries: 100, maxBootsPerMinute: 100 };

/** VMs by what they share. */
function fleet(shares: Readonly<Record<string, string[]>>, config = {}): Stage {
  const s = new Stage({ ...LIMITS, ...config });
  for (const [id, list] of Object.entries(shares)) {
    s.send({ type: 'vm-configured', vm: policyVm({ id }) });
    s.attach({ vm: id, shares: list });
    s.allOk(id);
  }
  return s;
}

/** `n` VMs of their own beside the others. */
const others = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`other/${i}`, []]));
const onBridge = {
  'a/1': ['bridge br0'],
  'a/2': ['bridge br0'],
  'a/3': ['bridge br0'],
  'a/4': ['bridge br0'],
};

const exits = (s: Stage, ...vms: string[]) => {
  for (const vm of vms) s.vmm({ type: 'exited' }, vm);
};
const hangs = (s: Stage, vm: string) => {
  s.probe('liveness', 'failed', 'response-timeout', vm);
  if (s.asked?.vm === vm) s.answer(DEAD);
};
const DEAD = {
  readiness: 'response-timeout',
  liveness: 'response-timeout',
  agent: 'agent-not-connected',
  api: 'ok',
  process: 'ok',
} as const;

const FINE = { readiness: 'ok', liveness: 'ok', agent: 'ok', api: 'ok', process: 'ok' } as const;

describe('a shared cause', () => {
  it('is one incident: what shares it is held, people are told once, the others go on', () => {
    const s = fleet({ ...onBridge, ...others(20) });
    exits(s, 'a/1', 'a/2', 'a/3');
    expect(s.state.host.incident).toMatchObject({ cause: 'bridge br0' });
    expect(
      s.actions.map((a) => a.vm),
      'dead processes do not wait for others',
    ).toEqual(['a/1', 'a/2']);
    expect(s.explain('a/3').holds.map((h) => h.rule)).toEqual(['shared-cause']);
    exits(s, 'a/4', 'other/1');
    expect(
      s.actions.map((a) => a.vm),
      'once it is declared nothing further starts',
    ).toEqual(['a/1', 'a/2', 'other/1']);
    expect(s.escalations.filter((t) => t.includes('share'))).toHaveLength(1);
    expect(s.rules('diagnosis').filter((r) => r === 'diagnosis/shared-cause')).toHaveLength(1);
  });

  it.each([
    ['three within the window', [0, 15_000, 29_999], true],
    ['the first is older than the window', [0, 15_000, 30_000], false],
    ['two are too few', [0, 0], false],
  ])('%s', (_, times, declared) => {
    const s = fleet({ ...onBridge, ...others(30) });
    const beganMs = s.now;
    times.forEach((atMs, i) => {
      s.advance(beganMs + atMs - s.now);
      exits(s, `a/${i + 1}`);
    });
    expect(s.state.host.incident !== null).toBe(declared);
  });

  it('is no three separate faults that were healed one by one', () => {
    const s = fleet(others(3), { brakeMinVms: 3 });
    exits(s, 'other/0');
    s.boot('other/0');
    s.allOk('other/0');
    s.advance(10_000);
    s.vmm({ type: 'panicked', action: 'pause' }, 'other/1');
    s.boot('other/1');
    s.allOk('other/1');
    s.advance(10_000);
    s.vmm({ type: 'panicked', action: 'pause' }, 'other/2');
    expect(s.state.host.incident).toBeNull();
    expect(s.actions.map((a) => a.vm)).toEqual(['other/0', 'other/1', 'other/2']);
  });

  it('counts a VM that was healed and fails again', () => {
    const s = fleet({ ...onBridge, ...others(30) });
    exits(s, 'a/1');
    s.attach({ vm: 'a/1', shares: ['bridge br0'] });
    s.end({ result: 'done' }, 'a/1');
    s.allOk('a/1');
    s.advance(29_000);
    exits(s, 'a/1', 'a/2');
    expect(s.state.host.incident).toBeNull();
    s.advance(10_000);
    exits(s, 'a/3');
    expect(s.state.host.incident).toMatchObject({ cause: 'bridge br0' });
  });

  it('needs a tenth of those that share it', () => {
    const s = fleet(others(40));
    exits(s, 'other/0', 'other/1', 'other/2');
    expect(s.state.host.incident).toBeNull();
    exits(s, 'other/3');
    expect(s.state.host.incident).toMatchObject({ cause: 'host' });
  });

  it('blames the narrowest of what fails as a whole, else that of which the largest part fails', () => {
    const all = ['storage 8:1', 'bridge br0'];
    const s = fleet({ 'a/1': all, 'a/2': all, 'a/3': all });
    exits(s, 'a/1', 'a/2', 'a/3');
    expect(s.state.host.incident?.cause).toBe('storage 8:1');
    const t = fleet({ 'a/1': all, 'a/2': all, 'a/3': all, 'a/4': ['storage 8:1'] });
    exits(t, 'a/1', 'a/2', 'a/3');
    expect(t.state.host.incident?.cause).toBe('bridge br0');
  });

  it('is widened to the host when others fail as well', () => {
    const s = fleet({ ...onBridge, ...others(5) });
    exits(s, 'a/1', 'a/2', 'a/3');
    expect(s.state.host.incident?.cause).toBe('bridge br0');
    exits(s, 'other/0', 'other/1');
    expect(s.state.host.incident?.cause, 'two beside it may be chance').toBe('bridge br0');
    exits(s, 'other/2');
    expect(s.state.host.incident?.cause).toBe('host');
    const acted = s.steps.length;
    exits(s, 'other/3');
    expect(s.steps).toHaveLength(acted);
  });

  it('holds a start-up that shares it', () => {
    const s = fleet(others(3));
    exits(s, 'other/0', 'other/1', 'other/2');
    const acted = s.steps.length;
    s.send({ type: 'vm-configured', vm: policyVm({ id: 'new/1' }) });
    s.send({ type: 'vm-looked', vm: 'new/1', running: false });
    expect(s.steps).toHaveLength(acted);
  });

  it('is over once fewer fail for the cool-down, and by a person at once', () => {
    const s = fleet({ ...onBridge, ...others(20) });
    exits(s, 'a/1', 'a/2', 'a/3', 'a/4');
    for (const vm of ['a/1', 'a/2']) {
      s.boot(vm);
      s.allOk(vm);
    }
    s.advance(299_999);
    expect(s.steps).toHaveLength(2);
    s.advance(1);
    expect(s.actions.slice(2).map((a) => a.vm)).toEqual(['a/3', 'a/4']);

    const t = fleet({ ...onBridge, ...others(20) });
    exits(t, 'a/1', 'a/2', 'a/3', 'a/4');
    t.advance(86_400_000);
    expect(t.steps, 'while as many fail it goes on').toHaveLength(2);
    t.send({ type: 'unhold', vm: null, author: 'ada' });
    expect(t.state.host.incident).toBeNull();
    expect(t.steps).toHaveLength(4);
  });

  it('is over once a single VM has failed for the window: that one has it for itself', () => {
    const s = fleet({ ...onBridge, ...others(20) });
    exits(s, 'a/1', 'a/2', 'a/3');
    for (const vm of ['a/1', 'a/2']) {
      s.boot(vm);
      s.allOk(vm);
    }
    s.advance(29_999);
    expect(s.steps).toHaveLength(2);
    s.advance(1);
    expect(s.state.host.incident).toBeNull();
    expect(s.actions.slice(2).map((a) => a.vm)).toEqual(['a/3']);
  });

  it('asks for no fresh look at what it holds, until that answers again', () => {
    const s = fleet(onBridge);
    exits(s, 'a/1', 'a/2', 'a/3');
    const before = s.effects.length;
    s.probe('liveness', 'failed', 'host-unreachable', 'a/4');
    expect(s.effects.slice(before).map((e) => e.type)).not.toContain('confirm');
    expect(s.health('a/4')).toBe('unhealthy');
    expect(s.explain('a/4').holds).toMatchObject([{ rule: 'shared-cause' }]);
    s.probe('liveness', 'ok', undefined, 'a/4');
    expect(s.asked?.vm).toBe('a/4');
    s.answer(FINE);
    expect(s.health('a/4')).toBe('healthy');
  });

  it('goes on while nobody fails any more, in case it comes back', () => {
    const s = fleet({ ...onBridge, ...others(20) }, { maxConcurrentRecoveries: 1 });
    for (const vm of ['a/1', 'a/2', 'a/3']) s.probe('liveness', 'failed', 'host-unreachable', vm);
    expect(s.state.host.incident).not.toBeNull();
    for (const vm of ['a/1', 'a/2', 'a/3']) s.allOk(vm);
    for (const vm of ['a/1', 'a/2', 'a/3']) if (s.asked?.vm === vm) s.answer(FINE);
    s.advance(200_000);
    expect(s.state.host.incident).not.toBeNull();
    s.advance(100_000);
    expect(s.state.host.incident).toBeNull();
    expect(s.steps).toEqual([]);
  });

  it('that a person ended does not begin again because what it held is recovered', () => {
    const s = fleet({ ...onBridge, ...others(4) }, { maxConcurrentRecoveries: 2 });
    exits(s, 'a/1', 'a/2', 'a/3', 'a/4');
    for (const vm of ['a/1', 'a/2']) s.fail(vm);
    s.advance(3_600_000);
    s.send({ type: 'unhold', vm: null, author: 'ada' });
    const before = s.actions.length;
    for (let minute = 0; minute < 3; minute++) {
      for (const vm of ['a/1', 'a/2', 'a/3', 'a/4']) if (s.inFlight(vm)) s.fail(vm);
      s.advance(60_000);
    }
    expect(s.state.host.incident).toBeNull();
    expect(new Set(s.actions.slice(before).map((a) => a.vm))).toEqual(new Set(['a/1', 'a/2', 'a/3', 'a/4']));
  });

  it('is kept over a restart of the daemon', () => {
    const s = fleet({ ...onBridge, ...others(20) });
    exits(s, 'a/1', 'a/2', 'a/3');
    expect(s.restart().state.host.incident).toEqual(s.state.host.incident);
  });
});

describe('before a guest is booted on inferred evidence', () => {
  it('it is seen whether others fail as well', () => {
    const s = fleet(others(4));
    hangs(s, 'other/0');
    expect(s.explain('other/0').holds.map((h) => h.rule)).toEqual(['correlation']);
    s.advance(29_000);
    expect(s.steps).toEqual([]);
    s.advance(1_000);
    s.answer(DEAD);
    expect(s.steps).toEqual(['reset']);
  });

  it('nothing is rebooted when the others follow within the window', () => {
    const s = fleet(others(4));
    for (const vm of ['other/0', 'other/1', 'other/2']) {
      hangs(s, vm);
      s.advance(5_000);
    }
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.state.host.incident?.cause).toBe('host');
  });

  it('a milder step waits only in company', () => {
    const down = { liveness: 'connection-refused', agent: 'ok', api: 'ok', process: 'ok' } as const;
    const s = fleet(others(20));
    s.probe('liveness', 'failed', 'connection-refused', 'other/0');
    s.answer(down);
    expect(s.steps).toEqual(['restart-service']);
    s.probe('liveness', 'failed', 'connection-refused', 'other/1');
    s.answer(down);
    expect(s.steps).toHaveLength(1);
    expect(s.explain('other/1').holds.map((h) => h.rule)).toEqual(['correlation']);
  });

  it('nothing waits on a host with too few VMs for a shared cause', () => {
    const s = fleet(others(2));
    hangs(s, 'other/0');
    expect(s.steps).toEqual(['reset']);
  });
});

describe('whatever happens', () => {
  it('the counts by cause are right, and nothing that an incident covers is touched', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const s = new Stage({ ...CONFIG, sharedCauseMinVms: 2 });
        VMS.forEach((id, i) => {
          s.send({ type: 'vm-configured', vm: policyVm({ id }) });
          s.attach({ vm: id, shares: i < 2 ? ['bridge br0'] : [] });
          s.allOk(id);
        });
        for (const move of list) {
          perform(s, move);
          const vms = [...s.state.vms.values()];
          for (const [cause, group] of s.state.host.groups) {
            const own = vms.filter(
              (v) => v.fleet !== 'none' && (cause === 'host' || v.shares.includes(cause)),
            );
            expect(group.counted).toBe(own.length);
            expect(group.failing).toBe(own.filter((v) => v.fleet === 'failing').length);
            expect(group.recent).toBe(
              [...s.state.host.recent.values()].filter((f) => f.shares.includes(cause)).length,
            );
          }
          expect(s.state.host.groups.size).toBeLessThanOrEqual(2);
          expect(s.state.host.recent.size).toBeLessThanOrEqual(VMS.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
