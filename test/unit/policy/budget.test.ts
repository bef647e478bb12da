import { describe, expect, it } from 'vitest';
import { probe, Stage, WEB } from './stage.js';

/** Crashes, comes up, and crashes again before it is stable. */
function crashLoop(s: Stage, times: number): void {
  for (let i = 0; i < times; i++) {
    s.vmm({ type: 'exited' });
    s.advance(300_000);
    if (s.inFlight()) s.boot();
  }
}

/** Crashes, comes up, and stays up for just long enough. */
function crashAfterStable(s: Stage, times: number): void {
  for (let i = 0; i < times && s.health() !== 'quarantined'; i++) {
    s.vmm({ type: 'exited' });
    if (!s.inFlight()) break;
    s.boot();
    s.allOk();
    s.advance(61_000);
  }
}

describe('the consecutive budget', () => {
  it('quarantines after three recoveries that did not last, and escalates once', () => {
    const s = new Stage().healthy();
    crashLoop(s, 5);
    expect(s.steps).toEqual(['start', 'start', 'start']);
    expect(s.health()).toBe('quarantined');
    expect(s.rules('quarantine')).toEqual(['budget-consecutive']);
    expect(s.escalations.filter((text) => text.includes('quarantined'))).toHaveLength(1);
    expect(s.explain().episode?.outcome).toBe('quarantined');
    expect(s.explain().holds.map(({ rule }) => rule)).toEqual(['quarantine']);
    s.advance(7 * 86_400_000);
    expect(s.steps).toHaveLength(3);
  });

  it('is given back once the VM was stable', () => {
    const s = new Stage().healthy();
    crashAfterStable(s, 5);
    expect(s.steps).toHaveLength(5);
    expect(s.explain().budget).toMatchObject({ consecutiveUsed: 0, rolling24hUsed: 5 });
    expect(s.explain().pastEpisodes.map((e) => e.outcome)).toEqual(Array(5).fill('recovered'));
  });

  it('stays charged while health is back but not yet stable', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'exited' });
    s.boot();
    s.allOk();
    s.advance(59_000);
    expect(s.explain().budget.consecutiveUsed).toBe(1);
    s.advance(1_000);
    expect(s.explain().budget.consecutiveUsed).toBe(0);
    expect(s.rules('recovered')).toEqual(['stable']);
  });

  it('a quarantined VM that comes up by other hands stays quarantined until it is released', () => {
    const s = new Stage().healthy();
    crashLoop(s, 4);
    s.attach();
    s.allOk();
    s.advance(3_600_000);
    expect(s.health()).toBe('quarantined');
    s.send({ type: 'release', vm: WEB, author: 'ada' });
    expect(s.health()).toBe('healthy');
    s.vmm({ type: 'exited' });
    expect(s.steps).toHaveLength(4);
  });

  it('a VM that is released while it still fails is acted on again', () => {
    const s = new Stage().healthy();
    crashLoop(s, 4);
    s.send({ type: 'release', vm: WEB, author: 'ada' });
    expect(s.steps).toHaveLength(4);
    expect(s.explain().pastEpisodes.at(-1)?.outcome).toBe('quarantined');
  });
});

describe('the budget of 24 hours', () => {
  it('stops a VM that crashes just after each stable period', () => {
    const s = new Stage().healthy();
    crashAfterStable(s, 20);
    expect(s.steps).toHaveLength(10);
    expect(s.health()).toBe('quarantined');
    expect(s.rules('quarantine')).toEqual(['budget-24h']);
  });

  it('is not given back by a release', () => {
    const s = new Stage().healthy();
    crashAfterStable(s, 20);
    s.send({ type: 'release', vm: WEB, author: 'ada' });
    expect(s.health()).toBe('quarantined');
    expect(s.steps).toHaveLength(10);
  });

  it('forgets what is older than 24 hours', () => {
    const s = new Stage().healthy();
    crashAfterStable(s, 9);
    s.advance(86_400_000);
    expect(s.explain().budget.rolling24hUsed).toBe(0);
    crashAfterStable(s, 9);
    expect(s.health()).toBe('healthy');
    expect(s.steps).toHaveLength(18);
  });
});

describe('the breaker', () => {
  it('pauses after failed recoveries, then allows one trial at a time', () => {
    const recovery = {
      maxConsecutive: 100,
      maxPer24h: 100,
      backoff: { baseMs: 1, capMs: 1, jitter: 0 },
      breaker: { failures: 3, holdMs: 300_000 },
    };
    const s = new Stage().healthy({ recovery });
    const fail = () => {
      s.fail();
      s.advance(10);
    };
    s.vmm({ type: 'exited' });
    fail();
    fail();
    fail();
    expect(s.steps).toHaveLength(3);
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['breaker']);
    s.advance(299_980);
    expect(s.steps).toHaveLength(3);
    s.advance(1_000);
    expect(s.steps, 'one trial').toHaveLength(4);
    fail();
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['breaker']);
    s.advance(300_000);
    s.boot();
    s.allOk();
    s.advance(60_000);
    s.vmm({ type: 'exited' });
    expect(s.steps, 'a recovery that lasts closes it').toHaveLength(6);
  });
});

describe('grace', () => {
  it('keeps hands off a guest that boots, whatever its probes say', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    expect(s.health()).toBe('starting');
    s.probe('liveness', 'failed', 'response-timeout');
    s.probe('process', 'failed', 'process-stopped');
    s.advance(119_999);
    expect(s.asked).toBeUndefined();
    s.advance(1);
    expect(s.asked).toBeDefined();
  });

  it('ends early when health is back, and what fails then fails for good', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    s.advance(5_000);
    s.allOk();
    expect(s.health()).toBe('healthy');
    s.probe('liveness', 'failed', 'response-timeout');
    expect(s.asked).toBeDefined();
  });

  it('ends with the instance: a dead process or a panic while booting is acted on', () => {
    const dead = new Stage().healthy();
    dead.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    dead.vmm({ type: 'exited' });
    expect(dead.steps).toEqual(['start']);
    const panicked = new Stage().healthy();
    panicked.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    panicked.vmm({ type: 'panicked', action: 'pause' });
    expect(panicked.steps).toEqual(['reset']);
  });

  it('follows each step; a step that did not help is followed by the next', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.advance(30_000);
    s.probe('liveness', 'failed', 'response-timeout');
    s.advance(89_999);
    expect(s.asked).toBeUndefined();
    expect(s.health()).toBe('recovering');
    s.advance(1);
    s.answer({
      liveness: 'response-timeout',
      readiness: 'response-timeout',
      agent: 'response-timeout',
      api: 'ok',
      process: 'ok',
    });
    expect(s.steps).toEqual(['reset', 'power-cycle']);
  });

  it('an adopted VM that booted long ago has none, one that boots has what is left of it', () => {
    const old = new Stage();
    old.send({ type: 'vm-configured', vm: { ...policyOf(old), id: WEB } });
    old.attach({ fresh: false, startedAtMs: old.now - 3_600_000 });
    expect(old.state.vms.get(WEB)?.graceUntilMs).toBeNull();
    const young = new Stage();
    young.send({ type: 'vm-configured', vm: { ...policyOf(young), id: WEB } });
    young.attach({ fresh: false, startedAtMs: young.now - 20_000 });
    expect(young.state.vms.get(WEB)?.graceUntilMs).toBe(young.now + 100_000);
  });

  it('whose end finds the guest still unheard is reported where no probe asks for more', () => {
    const s = new Stage().healthy({
      probes: [probe('readiness', 'readiness', 'httpGet'), probe('agent', 'check', 'guestAgentPing')],
    });
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.advance(3_600_000);
    expect(s.steps).toEqual(['reset']);
    expect(s.rules('escalate')).toEqual(['unheard']);
    expect(s.health()).toBe('recovering');
    s.allOk();
    expect(s.health()).toBe('healthy');
  });

  it('reports a guest that reboots itself again and again', () => {
    const s = new Stage().healthy();
    for (let i = 0; i < 10; i++) {
      s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
      s.advance(30_000);
    }
    expect(s.escalations).toHaveLength(1);
    expect(s.rules('escalate')).toEqual(['boot-loop']);
    expect(s.steps).toEqual([]);
  });
});

describe('a failed liveness probe', () => {
  const REFUSED = {
    liveness: 'connection-refused',
    readiness: 'connection-refused',
    agent: 'ok',
    api: 'ok',
    process: 'ok',
  } as const;

  it('holds when the probe turns ok by itself', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(REFUSED);
    s.probe('liveness', 'ok');
    expect(s.health()).toBe('unhealthy');
  });

  it('is released when a fresh look finds everything fine', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.probe('liveness', 'failed', 'connection-refused');
    s.probe('liveness', 'ok');
    s.answer({ ...REFUSED, liveness: 'ok', readiness: 'ok' });
    expect(s.health()).toBe('healthy');
  });

  it('is released by a ladder step that completes', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(REFUSED);
    s.probe('liveness', 'ok');
    expect(s.health()).toBe('recovering');
    s.end();
    expect(s.health()).toBe('healthy');
    s.advance(60_000);
    expect(s.explain().pastEpisodes.at(-1)?.outcome).toBe('recovered');
  });

  it('is not released by a step that failed', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(REFUSED);
    s.probe('liveness', 'ok');
    s.fail();
    expect(s.health()).toBe('unhealthy');
  });

  it('is released by a new instance', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.probe('liveness', 'failed', 'connection-refused');
    s.answer(REFUSED);
    s.vmm({ type: 'reset', guest: false, reason: 'host-qmp-system-reset' });
    expect(s.health()).toBe('starting');
    expect(s.effects.at(-1)?.type).toBe('new-instance');
  });
});

function policyOf(s: Stage) {
  s.healthy({ id: 'test/other' });
  const spec = s.state.vms.get('test/other')?.spec;
  if (!spec) throw new Error('not configured');
  return spec;
}
