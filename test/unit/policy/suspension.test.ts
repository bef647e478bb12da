import { describe, expect, it } from 'vitest';
import { intentsOf } from '../../../src/policy/index.js';
import { Stage, WEB } from './stage.js';

const author = 'ada';

describe('a VM that others have stopped', () => {
  it.each([
    ['paused', /paused by a person or a tool/],
    ['inmigrate', /come from another host/],
    ['finish-migrate', /being moved/],
    ['postmigrate', /moved to another host/],
    ['save-vm', /being saved/],
    ['restore-vm', /restored/],
  ])('as %s is left alone, and it is said why', (status, why) => {
    const s = new Stage().healthy();
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'run-state', status });
    expect(s.health()).toBe('paused');
    s.probe('liveness', 'failed', 'response-timeout');
    s.advance(3_000_000);
    expect(s.steps).toEqual([]);
    expect(s.explain().holds).toMatchObject([{ rule: 'paused', text: expect.stringMatching(why) }]);
    expect(s.effects.filter((e) => e.type === 'suspend-probes')).toHaveLength(1);
  });

  it('people are told once it lasts, once; nothing is done', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'paused' });
    s.advance(3_599_999);
    expect(s.escalations).toEqual([]);
    s.advance(86_400_000);
    expect(s.escalations).toEqual([expect.stringMatching(/for longer than 60 min/)]);
    expect(s.steps).toEqual([]);
    s.vmm({ type: 'resumed' });
    s.allOk();
    expect(s.health()).toBe('healthy');
  });

  it('while it is moved and runs its probes go on, and nothing is done, not even on a panic', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'migration', active: true, status: 'active' });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.steps).toEqual([]);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['suspended']);
    s.vmm({ type: 'migration', active: false, status: 'failed' });
    expect(s.steps).toEqual(['reset']);
  });

  it('a pause that belongs to a panic is none of others', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'run-state', status: 'guest-panicked' });
    expect(s.steps).toEqual(['reset']);
  });
});

describe('maintenance', () => {
  const begin = (s: Stage, untilMs: number | null = null) =>
    s.send({ type: 'maintenance', vm: WEB, author, begin: { reason: 'kernel update', untilMs } });

  it('nothing is done to the VM, whatever happens to it', () => {
    const s = new Stage().healthy();
    begin(s);
    expect(s.health()).toBe('maintenance');
    s.vmm({ type: 'panicked', action: 'pause' });
    s.vmm({ type: 'exited' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.explain().holds).toMatchObject([
      { rule: 'maintenance', text: expect.stringMatching(/ada works/) },
    ]);
  });

  it.each(['ended by a person', 'over by its time'])('%s: what is off and wanted is started', (how) => {
    const s = new Stage().healthy();
    begin(s, how === 'ended by a person' ? null : s.now + 60_000);
    s.vmm({ type: 'exited' });
    if (how === 'ended by a person') s.send({ type: 'maintenance', vm: WEB, author, begin: null });
    else s.advance(60_000);
    expect(s.steps).toEqual(['start']);
  });

  it('what failed meanwhile is concluded anew', () => {
    const s = new Stage().healthy();
    begin(s);
    s.probe('liveness', 'failed', 'response-timeout');
    s.probe('liveness', 'ok');
    s.send({ type: 'maintenance', vm: WEB, author, begin: null });
    expect(s.health()).toBe('healthy');
    expect(s.asked).toBeUndefined();
  });

  it('outlives the daemon', () => {
    const s = new Stage().healthy();
    begin(s);
    expect(s.restart().state.vms.get(WEB)?.maintenance).toEqual(s.state.vms.get(WEB)?.maintenance);
  });
});

describe('what persons want', () => {
  it('is one list with who and why, and beats automation until it is withdrawn', () => {
    const s = new Stage().healthy();
    s.send({ type: 'hold', vm: null, reason: 'drill', author, untilMs: null });
    s.send({ type: 'hold', vm: WEB, reason: 'backup', author: 'bob', untilMs: s.now + 1_000_000 });
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-qmp-quit' });
    s.vmm({ type: 'exited' });
    expect(intentsOf(s.state)).toMatchObject([
      { vm: null, what: 'hold', author, reason: 'drill' },
      { vm: WEB, what: 'hold', author: 'bob', untilMs: s.now + 1_000_000 },
      { vm: WEB, what: 'stop', reason: expect.stringMatching(/host-qmp-quit/) },
    ]);
    s.send({ type: 'clear-intents', vm: WEB, author });
    expect(intentsOf(s.state)).toMatchObject([{ vm: null, what: 'hold' }]);
    expect(s.steps, 'what was asked of all stays').toEqual([]);
    s.send({ type: 'clear-intents', vm: null, author });
    expect(intentsOf(s.state)).toEqual([]);
    expect(s.steps).toEqual(['start']);
  });

  it('a stop that the run strategy would obey as well stays one', () => {
    const s = new Stage().healthy({ runStrategy: 'Manual' });
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-signal' });
    s.vmm({ type: 'exited' });
    s.send({ type: 'clear-intents', vm: WEB, author });
    expect(s.steps).toEqual([]);
  });
});
