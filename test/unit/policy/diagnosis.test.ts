import { describe, expect, it } from 'vitest';
import type { VmmEvent } from '../../../src/model/ports.js';
import type { Reason } from '../../../src/model/reasons.js';
import { type Fresh, PROBES, probe, Stage } from './stage.js';

type Failing = readonly (readonly [probe: string, reason: Reason])[];

const WEB_DOWN: Failing = [
  ['readiness', 'connection-refused'],
  ['liveness', 'connection-refused'],
];
const SILENT: Failing = [
  ['readiness', 'response-timeout'],
  ['liveness', 'response-timeout'],
];
const ALIVE: Fresh = { api: 'ok', process: 'ok', agent: 'ok' };

/** What probes fail, what the fresh look then says, and what that is. `null`: nothing is concluded. */
const INFERRED: readonly {
  readonly what: string;
  readonly failing: Failing;
  readonly fresh: Fresh;
  readonly diagnosis: readonly [kind: string, cause: string] | null;
  readonly step: string | null;
}[] = [
  {
    what: 'a service that refuses while the agent answers',
    failing: WEB_DOWN,
    fresh: { ...ALIVE, readiness: 'connection-refused', liveness: 'connection-refused' },
    diagnosis: ['service', 'service-unreachable'],
    step: 'restart-service',
  },
  {
    what: 'a service that times out while the agent answers',
    failing: SILENT,
    fresh: { ...ALIVE, readiness: 'response-timeout', liveness: 'response-timeout' },
    diagnosis: ['service', 'service-unreachable'],
    step: 'restart-service',
  },
  {
    what: 'a service that answers wrongly beside a dead agent',
    failing: [['liveness', 'bad-status']],
    fresh: { ...ALIVE, agent: 'agent-not-connected', readiness: 'bad-status', liveness: 'bad-status' },
    diagnosis: ['service', 'service-unreachable'],
    step: 'restart-service',
  },
  {
    what: 'a network that is unreachable while the agent answers',
    failing: [['liveness', 'host-unreachable']],
    fresh: { ...ALIVE, readiness: 'host-unreachable', liveness: 'host-unreachable' },
    diagnosis: ['network', 'network-unreachable'],
    step: 'reboot',
  },
  {
    what: 'nothing in the guest answers while the API says running',
    failing: SILENT,
    fresh: {
      api: 'ok',
      process: 'ok',
      agent: 'response-timeout',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
    },
    diagnosis: ['guest-hung', 'all-paths-dead'],
    step: 'reset',
  },
  {
    what: 'a stopped VMM, whichever probe failed first',
    failing: SILENT,
    fresh: { api: 'response-timeout', process: 'process-stopped', liveness: 'response-timeout' },
    diagnosis: ['vmm-stopped', 'process-stopped'],
    step: 'continue-process',
  },
  {
    what: 'a stopped VMM seen by the process watch',
    failing: [['process', 'process-stopped']],
    fresh: { process: 'process-stopped' },
    diagnosis: ['vmm-stopped', 'process-stopped'],
    step: 'continue-process',
  },
  {
    what: 'an API that is silent while the guest answers',
    failing: [['api', 'api-unreachable']],
    fresh: { api: 'api-unreachable', process: 'ok', agent: 'ok', readiness: 'ok', liveness: 'ok' },
    diagnosis: ['vmm-wedged', 'api-silent'],
    step: null,
  },
  {
    what: 'an API that is silent and a dead guest, not for long yet',
    failing: [['api', 'response-timeout'], ...SILENT],
    fresh: {
      api: 'response-timeout',
      process: 'ok',
      agent: 'response-timeout',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
    },
    diagnosis: ['vmm-wedged', 'api-silent'],
    step: null,
  },
  {
    what: 'a panic that only the run state tells of',
    failing: SILENT,
    fresh: { api: 'guest-panicked', process: 'ok', liveness: 'response-timeout' },
    diagnosis: ['guest-hung', 'guest-panicked'],
    step: 'reset',
  },
  {
    what: 'an I/O error that only the run state tells of',
    failing: SILENT,
    fresh: { api: 'io-error', process: 'ok', liveness: 'response-timeout' },
    diagnosis: ['storage', 'disk-io-error'],
    step: null,
  },
  {
    what: 'a failure that a fresh look does not find',
    failing: [['liveness', 'response-timeout']],
    fresh: { ...ALIVE, readiness: 'ok', liveness: 'ok' },
    diagnosis: null,
    step: null,
  },
  {
    what: 'a fresh look without an answer of what failed',
    failing: [['liveness', 'response-timeout']],
    fresh: { ...ALIVE, readiness: 'response-timeout' },
    diagnosis: null,
    step: null,
  },
  {
    what: 'a fresh look that is inconclusive about what failed',
    failing: [['liveness', 'response-timeout']],
    fresh: { ...ALIVE, liveness: 'prober-late' },
    diagnosis: null,
    step: null,
  },
  {
    what: 'a dead network beside an agent that could not be asked',
    failing: SILENT,
    fresh: {
      api: 'ok',
      process: 'ok',
      agent: 'channel-busy',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
    },
    diagnosis: null,
    step: null,
  },
  {
    what: 'a dead guest whose monitor somebody else holds',
    failing: SILENT,
    fresh: {
      api: 'channel-busy',
      process: 'ok',
      agent: 'response-timeout',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
    },
    diagnosis: null,
    step: null,
  },
  {
    what: 'a guest that stands still because its VM is paused',
    failing: SILENT,
    fresh: { api: 'vm-not-running', process: 'ok', liveness: 'response-timeout' },
    diagnosis: null,
    step: null,
  },
];

describe('inferred diagnosis', () => {
  it.each(INFERRED)('$what', ({ failing, fresh, diagnosis, step }) => {
    const s = new Stage().healthy();
    for (const [name, reason] of failing) s.probe(name, 'failed', reason);
    expect(s.steps, 'nothing is done before the fresh look').toEqual([]);
    expect(s.asked?.probes).toEqual(PROBES.map((p) => p.name));
    s.answer(fresh);
    const found = s.explain().episode?.diagnosis;
    expect(found ? [found.kind, found.cause] : null).toEqual(diagnosis);
    expect(s.steps).toEqual(step === null ? [] : [step]);
  });

  it('asks once, however many probes fail while it waits', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'response-timeout');
    s.probe('readiness', 'failed', 'response-timeout');
    s.probe('agent', 'failed', 'response-timeout');
    expect(s.effects.filter((e) => e.type === 'confirm')).toHaveLength(1);
  });

  it('takes an answer that never comes for inconclusive, and asks again with growing pauses', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'response-timeout');
    s.advance(600_000);
    expect(s.steps).toEqual([]);
    expect(s.rules('hold')).toContain('observer');
    const asked = s.effects.filter((e) => e.type === 'confirm').length;
    expect(asked).toBeGreaterThan(8);
    expect(asked).toBeLessThan(16);
  });

  it('a failed readiness probe only degrades', () => {
    const s = new Stage().healthy();
    s.probe('readiness', 'failed', 'connection-refused');
    s.advance(600_000);
    expect(s.health()).toBe('degraded');
    expect(s.asked).toBeUndefined();
    expect(s.steps).toEqual([]);
    expect(s.state.vms.get('test/web')?.ready).toBe(false);
  });

  it('a failed check that is critical is answered like a failed liveness probe', () => {
    const probes = [...PROBES, probe('shop', 'check', 'tcpSocket', true)];
    const s = new Stage().healthy({ probes });
    s.probe('shop', 'failed', 'connection-refused');
    expect(s.health()).toBe('unhealthy');
    s.answer({ ...ALIVE, readiness: 'ok', liveness: 'ok', shop: 'connection-refused' });
    expect(s.steps).toEqual(['restart-service']);
  });

  it('a silent agent that is the liveness probe of a reachable guest is no service to restart through it', () => {
    const probes = [probe('liveness', 'liveness', 'guestAgentPing'), probe('web', 'check', 'httpGet')];
    const s = new Stage().healthy({ probes });
    s.probe('liveness', 'failed', 'agent-not-connected');
    s.answer({ liveness: 'agent-not-connected', web: 'ok' });
    expect(s.explain().episode?.diagnosis.cause).toBe('agent-unreachable');
    expect(s.steps).toEqual(['reboot']);
  });

  it('a startup probe holds the others until it has been ok', () => {
    const probes = [probe('startup', 'startup', 'httpGet'), ...PROBES];
    const s = new Stage();
    s.healthy({ probes, recovery: { graceMs: 0 } });
    s.attach();
    s.probe('liveness', 'failed', 'connection-refused');
    expect(s.asked).toBeUndefined();
    s.probe('startup', 'ok');
    expect(s.asked).toBeDefined();
  });

  it('a startup probe that fails is a failure', () => {
    const probes = [probe('startup', 'startup', 'httpGet'), ...PROBES];
    const s = new Stage().healthy({ probes });
    s.vmm({ type: 'reset', guest: true, reason: 'guest-reset' });
    s.probe('startup', 'failed', 'connection-refused');
    s.advance(120_000);
    expect(s.asked).toBeDefined();
  });

  it('a blind probe is a reason to distrust ourselves, not the VM', () => {
    const s = new Stage().healthy();
    s.probe('readiness', 'blind', 'prober-late');
    s.probe('liveness', 'blind', 'prober-late');
    s.advance(600_000);
    expect(s.health()).toBe('unknown');
    expect(s.steps).toEqual([]);
    expect(s.asked).toBeUndefined();
    expect(s.rules('hold')).toEqual(['observer']);
    expect(s.state.vms.get('test/web')?.ready, 'the list of endpoints keeps its last state').toBe(true);
  });

  it('looks again when what fails has changed, and the diagnosis follows', () => {
    const s = new Stage().healthy({ recovery: { enabled: false } });
    for (const [name, reason] of SILENT) s.probe(name, 'failed', reason);
    s.answer({ ...ALIVE, readiness: 'response-timeout', liveness: 'response-timeout' });
    expect(s.explain().episode?.diagnosis.kind).toBe('service');
    s.advance(2000);
    s.probe('agent', 'failed', 'response-timeout');
    s.answer({
      api: 'ok',
      process: 'ok',
      agent: 'response-timeout',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
    });
    expect(s.explain().episode?.diagnosis.kind).toBe('guest-hung');
  });
});

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
    s.advance(119_000);
    expect(s.steps).toEqual([]);
    s.advance(1_000);
    expect(s.steps).toEqual(['reset']);
  });

  it('a gone process waits for the last words of its VMM, within bounds', () => {
    const s = new Stage().healthy();
    s.probe('process', 'failed', 'process-gone');
    s.advance(999);
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
    s.vmm({ type: 'io-error', device: 'disk0', noSpace: true });
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
