import { describe, expect, it } from 'vitest';
import { ReadyList } from '../../../src/policy/index.js';
import type { PolicyConfig } from '../../../src/policy/types.js';
import { Stage } from './stage.js';

const NEVER_TOGETHER = { brakeMinVms: 1_000, sharedCauseMinVms: 1_000 };
const ids = (n: number) => Array.from({ length: n }, (_, i) => `test/vm-${i}`);

function fleet(n: number, config: Partial<PolicyConfig> = {}): Stage {
  const s = new Stage({ ...NEVER_TOGETHER, ...config });
  for (const id of ids(n)) s.healthy({ id });
  return s;
}

const unready = (s: Stage, ...vms: string[]) => {
  for (const vm of vms) s.probe('readiness', 'failed', 'connection-refused', vm);
};

/** Lists it as the runtime does, from one list to the next. */
class Listed {
  readonly #list = new ReadyList([]);

  next(s: Stage): string[] {
    this.#list.update(s.state, s.state.vms.keys());
    return [...this.#list.listed].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  keptBy(s: Stage): Record<string, string | null> {
    this.next(s);
    return Object.fromEntries([...s.state.vms.keys()].map((vm) => [vm, this.#list.keptBy(s.state, vm)]));
  }
}

describe('the list of endpoints', () => {
  it('says whether somebody came or left, and looks only at VMs that it is told of', () => {
    const s = fleet(3);
    const list = new ReadyList(['test/vm-7']);
    expect(list.update(s.state, [...s.state.vms.keys(), 'test/vm-7'])).toContain('test/vm-7');
    expect([...list.listed]).toEqual(ids(3));
    expect(list.update(s.state, s.state.vms.keys())).toEqual([]);
    unready(s, 'test/vm-1');
    expect(list.update(s.state, [])).toEqual([]);
    expect(list.update(s.state, ['test/vm-1'])).toEqual(['test/vm-1']);
    expect([...list.listed]).toEqual(['test/vm-0', 'test/vm-2']);
    s.state.vms.delete('test/vm-2');
    expect(list.update(s.state, ['test/vm-2'])).toEqual(['test/vm-2']);
    expect([...list.listed]).toEqual(['test/vm-0']);
  });

  it('has the VMs that are ready, and lets go of one that is not', () => {
    const s = fleet(3);
    const list = new Listed();
    expect(list.next(s)).toEqual(ids(3));
    unready(s, 'test/vm-1');
    expect(list.next(s)).toEqual(['test/vm-0', 'test/vm-2']);
    s.allOk('test/vm-1');
    expect(list.next(s)).toEqual(ids(3));
  });

  it('lets the only VM go', () => {
    const s = fleet(1);
    const list = new Listed();
    list.next(s);
    unready(s, 'test/vm-0');
    expect(list.next(s)).toEqual([]);
  });

  it('lets at most half of the VMs go for not being ready: the others keep their places', () => {
    const s = fleet(5);
    const list = new Listed();
    list.next(s);
    for (const vm of ids(5)) {
      unready(s, vm);
      s.advance(1_000);
    }
    expect(list.next(s)).toEqual(['test/vm-2', 'test/vm-3', 'test/vm-4']);
    expect(list.keptBy(s)['test/vm-4']).toBe('max-eject');
    // A place that gets free is taken by the next in order.
    s.allOk('test/vm-0');
    expect(list.next(s)).toEqual(['test/vm-0', 'test/vm-3', 'test/vm-4']);
  });

  it('takes nobody in who is not ready, however few there are', () => {
    const s = fleet(3);
    unready(s, ...ids(3));
    expect(new Listed().next(s)).toEqual([]);
  });

  it('lets go of a VM that stopped or is paused, whatever the others do', () => {
    const s = fleet(2, { maxEject: 0 });
    const list = new Listed();
    list.next(s);
    s.probe('api', 'failed', 'vm-not-running', 'test/vm-0');
    s.vmm({ type: 'paused' }, 'test/vm-0');
    s.vmm({ type: 'exited' }, 'test/vm-1');
    expect(list.next(s)).toEqual([]);
  });

  it('keeps everybody while the brake says that the failures have one reason', () => {
    const s = fleet(4, { brakeMinVms: 3 });
    const list = new Listed();
    list.next(s);
    for (const vm of ids(3)) s.vmm({ type: 'panicked', action: 'pause' }, vm);
    unready(s, ...ids(3));
    expect(s.state.host.brake).not.toBeNull();
    expect(list.next(s)).toEqual(ids(4));
    expect(list.keptBy(s)['test/vm-2']).toBe('fleet-brake');
  });

  it('keeps those that an incident covers', () => {
    const s = fleet(4, { sharedCauseMinVms: 3 });
    const list = new Listed();
    list.next(s);
    for (const vm of ids(3)) {
      unready(s, vm);
      s.probe('liveness', 'failed', 'connection-refused', vm);
    }
    expect(s.state.host.incident).not.toBeNull();
    expect(list.next(s)).toEqual(ids(4));
    expect(list.keptBy(s)['test/vm-0']).toBe('shared-cause');
  });

  it('keeps what it had for a restarted daemon, until it has looked', () => {
    const s = fleet(2);
    const list = new Listed();
    unready(s, 'test/vm-1');
    list.next(s);
    const next = s.restart();
    next.send({ type: 'vm-configured', vm: { ...policyOf(s, 'test/vm-0') } });
    expect(list.next(next)).toEqual(['test/vm-0']);
  });
});

function policyOf(s: Stage, vm: string) {
  const spec = s.state.vms.get(vm)?.spec;
  if (!spec) throw new Error(`${vm} is not configured`);
  return spec;
}
