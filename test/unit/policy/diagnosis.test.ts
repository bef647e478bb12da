import { describe, expect, it } from 'vitest';
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
