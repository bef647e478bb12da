import { describe, expect, it } from 'vitest';
import type { VmmEvent } from '../../../src/model/ports.js';
import type { Reason } from '../../../src/model/reasons.js';
import { type Fresh, Stage } from './stage.js';

type Failing = readonly (readonly [probe: string, reason: Reason])[];

const SILENT: Failing = [
  ['readiness', 'response-timeout'],
  ['liveness', 'response-timeout'],
];

describe('the VMM wedged', () => {
  const failing: Failing = [['api', 'api-unreachable'], ...SILENT, ['agent', 'response-timeout']];
  const dead: Fresh = {
    api: 'api-unreachable',
    process: 'ok',
    agent: 'response-timeout',
    readiness: 'response-timeout',
    liveness: 'response-timeout',
  };

  it('is ended only after wedgedAfter, and only on a fresh look', () => {
    const s = new Stage().healthy();
    for (const [name, reason] of failing) s.probe(name, 'failed', reason);
    s.answer(dead);
    // Each probe that crossed its threshold after the first look made for another one.
    s.advance(1500);
    if (s.asked) s.answer(dead);
    s.advance(58_000);
    expect(s.steps).toEqual([]);
    expect(s.rules('hold')).toContain('wedged-after');
    s.advance(1_000);
    expect(s.steps, 'not without looking again').toEqual([]);
    s.answer(dead);
    expect(s.steps).toEqual(['power-cycle']);
  });

  it('starts counting anew when the guest was heard in between', () => {
    const s = new Stage().healthy();
    for (const [name, reason] of failing) s.probe(name, 'failed', reason);
    s.answer(dead);
    s.advance(50_000);
    if (s.asked) s.answer(dead);
    s.probe('agent', 'ok');
    s.probe('agent', 'failed', 'response-timeout');
    s.advance(1_500);
    s.answer(dead);
    s.advance(30_000);
    expect(s.steps).toEqual([]);
  });

  it('is reported and left alone while the guest answers, for ever', () => {
    const s = new Stage().healthy();
    s.probe('api', 'failed', 'api-unreachable');
    s.answer({ api: 'api-unreachable', process: 'ok', agent: 'ok', readiness: 'ok', liveness: 'ok' });
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('degraded');
    expect(s.escalations).toHaveLength(1);
    s.probe('api', 'ok');
    s.advance(60_000);
    expect(s.health()).toBe('healthy');
    expect(s.explain().pastEpisodes.map((e) => e.outcome)).toEqual(['resolved-itself']);
  });

  it('is nothing while somebody else holds the monitor', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'monitor', state: 'busy' });
    s.probe('api', 'blind', 'channel-busy');
    s.advance(600_000);
    expect(s.health()).toBe('healthy');
    expect(s.explain().holds.map((h) => h.rule)).toEqual(['observer']);
    expect(s.steps).toEqual([]);
    expect(s.escalations).toEqual([]);
  });
});

describe('conclusive evidence', () => {
  const events: readonly {
    readonly what: string;
    readonly events: readonly VmmEvent[];
    readonly expected: readonly [kind: string, cause: string, step: string];
  }[] = [
    {
      what: 'a dead process',
      events: [{ type: 'exited' }],
      expected: ['vmm-dead', 'process-gone', 'start'],
    },
    {
      what: 'a panic',
      events: [{ type: 'panicked', action: 'pause' }, { type: 'paused' }],
      expected: ['guest-hung', 'guest-panicked', 'reset'],
    },
    {
      what: 'a watchdog that pauses',
      events: [{ type: 'watchdog', action: 'pause' }, { type: 'paused' }],
      expected: ['guest-hung', 'watchdog-expired', 'reset'],
    },
    {
      what: 'a watchdog that does nothing',
      events: [{ type: 'watchdog', action: 'none' }],
      expected: ['guest-hung', 'watchdog-expired', 'reset'],
    },
    {
      what: 'a watchdog that powers off',
      events: [{ type: 'watchdog', action: 'poweroff' }, { type: 'exited' }],
      expected: ['vmm-dead', 'watchdog-expired', 'start'],
    },
    {
      what: 'a panic that ends the VMM',
      events: [
        { type: 'panicked', action: 'poweroff' },
        { type: 'shutdown', guest: true, reason: 'guest-panic' },
        { type: 'exited' },
      ],
      expected: ['vmm-dead', 'guest-panicked', 'start'],
    },
  ];

  it.each(events)('$what is answered at once, without a fresh look', ({ events: list, expected }) => {
    const s = new Stage().healthy();
    for (const event of list) s.vmm(event);
    const { kind, cause } = s.explain().episode?.diagnosis ?? {};
    expect([kind, cause, ...s.steps]).toEqual(expected);
    expect(s.asked).toBeUndefined();
    expect(s.health()).toBe('recovering');
  });

  it.each(['guest-panicked', 'watchdog'])('the run state %s found when attaching is answered', (status) => {
    const s = new Stage();
    s.healthy();
    s.attach({ fresh: false, startedAtMs: s.now, status });
    expect(s.steps).toEqual(['reset']);
  });

  it('a VMM that resets its guest by itself is given time, then helped', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'watchdog', action: 'reset' });
    s.advance(9_000);
    expect(s.steps).toEqual([]);
    s.advance(1_000);
    expect(s.steps).toEqual(['reset']);
  });

  it('a VMM that resets its guest by itself has a new instance and needs nothing', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'watchdog', action: 'reset' });
    s.vmm({ type: 'reset', guest: false, reason: 'watchdog' });
    s.advance(100_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('starting');
  });

  it('a crash kernel is left to save its dump, within bounds', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'crash-loaded' });
    s.advance(299_000);
    expect(s.steps).toEqual([]);
    s.advance(1_000);
    expect(s.steps).toEqual(['reset']);
  });

  it('a gone process waits for the last words of its VMM, within bounds', () => {
    const s = new Stage().healthy();
    s.probe('process', 'failed', 'process-gone');
    s.advance(4_999);
    expect(s.steps).toEqual([]);
    s.advance(1);
    expect(s.steps).toEqual(['start']);
  });

  it('the last words decide when they come in time', () => {
    const s = new Stage().healthy();
    s.probe('process', 'failed', 'process-gone');
    s.vmm({ type: 'shutdown', guest: false, reason: 'host-qmp-quit' });
    s.vmm({ type: 'exited' });
    s.advance(60_000);
    expect(s.steps).toEqual([]);
    expect(s.health()).toBe('stopped');
  });
});

describe('storage', () => {
  it('is escalated and never answered by a reset', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'io-error', device: 'disk0', noSpace: false });
    s.vmm({ type: 'paused' });
    for (const [name, reason] of SILENT) s.probe(name, 'failed', reason);
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    expect(s.escalations).toHaveLength(1);
    expect(s.health()).toBe('unhealthy');
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'storage', cause: 'disk-io-error' });
  });

  it('is over once the VM was resumed', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'io-error', device: 'disk0', noSpace: false });
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'resumed' });
    s.advance(60_000);
    expect(s.health()).toBe('healthy');
    expect(s.explain().pastEpisodes.at(-1)?.outcome).toBe('resolved-itself');
  });
});

describe('paused by a person or a tool', () => {
  it('suspends the probes and does nothing until it was resumed', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'paused' });
    expect(s.health()).toBe('paused');
    expect(s.effects.map((e) => e.type)).toContain('suspend-probes');
    s.advance(86_400_000);
    expect(s.steps).toEqual([]);
    s.vmm({ type: 'resumed' });
    expect(s.health()).toBe('healthy');
    expect(s.effects.at(-1)?.type).toBe('resume-probes');
  });

  it('is no pause when a panic or the watchdog caused it', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'panicked', action: 'pause' });
    expect(s.health()).toBe('unhealthy');
    expect(s.effects.map((e) => e.type)).toContain('resume-probes');
  });

  it('is seen through the run state when the event was missed, and then watched on', () => {
    const s = new Stage().healthy();
    s.probe('api', 'failed', 'vm-not-running');
    expect(s.health()).toBe('paused');
    expect(s.effects.map((e) => e.type)).not.toContain('suspend-probes');
    s.probe('api', 'ok');
    expect(s.health()).toBe('healthy');
  });

  it('does not keep its probes suspended when the monitor comes back without the words it missed', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'paused' });
    s.vmm({ type: 'monitor', state: 'lost' });
    s.vmm({ type: 'monitor', state: 'connected' });
    expect(s.effects.at(-1)?.type).toBe('resume-probes');
  });
});
