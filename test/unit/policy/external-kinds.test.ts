import { describe, expect, it } from 'vitest';
import { PROBES, probe, Stage } from './stage.js';

/** What the probes that run outside the engine are evidence of. */
describe('a console', () => {
  const withConsole = [...PROBES, probe('console', 'liveness', 'console')];

  it('that says bad things while the guest answers points at something in it', () => {
    const s = new Stage().healthy({ probes: withConsole });
    s.probe('console', 'failed', 'bad-body');
    expect(s.health()).toBe('unhealthy');
    s.answer({ api: 'ok', process: 'ok', agent: 'ok', readiness: 'ok', liveness: 'ok', console: 'bad-body' });
    expect(s.explain().episode?.diagnosis.kind).toBe('service');
  });

  it('that is fine is no sign of life: a silent guest is hung', () => {
    const s = new Stage().healthy({ probes: withConsole });
    s.probe('liveness', 'failed', 'response-timeout');
    s.answer({
      api: 'ok',
      process: 'ok',
      agent: 'response-timeout',
      readiness: 'response-timeout',
      liveness: 'response-timeout',
      console: 'ok',
    });
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'guest-hung', cause: 'all-paths-dead' });
  });

  it('decides alone where nothing else could tell of the guest', () => {
    const probes = [
      probe('console', 'liveness', 'console'),
      probe('api', 'check', 'vmState'),
      probe('process', 'check', 'vmmProcess'),
    ];
    const s = new Stage().healthy({ probes });
    s.probe('console', 'failed', 'bad-body');
    s.answer({ api: 'ok', process: 'ok', console: 'bad-body' });
    expect(s.explain().episode?.diagnosis).toMatchObject({ kind: 'guest-hung', cause: 'all-paths-dead' });
    expect(
      s
        .explain()
        .episode?.diagnosis.evidence.map(({ text }) => text)
        .join(),
    ).toContain('nothing else could tell of the guest');
  });

  it('that fails beside an agent that answers is no broken network', () => {
    const probes = [
      probe('console', 'liveness', 'console'),
      probe('agent', 'check', 'guestAgentPing'),
      probe('api', 'check', 'vmState'),
    ];
    const s = new Stage().healthy({ probes });
    s.probe('console', 'failed', 'console-silent');
    s.answer({ api: 'ok', agent: 'ok', console: 'console-silent' });
    expect(s.explain().episode?.diagnosis.kind).toBe('service');
  });
});

describe('a command', () => {
  it('that fails while nothing else answers means a hung guest, beside others only its own service', () => {
    const probes = [...PROBES, probe('script', 'liveness', 'command')];
    const alone = new Stage().healthy({ probes });
    alone.probe('script', 'failed', 'exec-nonzero');
    const dead = 'response-timeout';
    alone.answer({
      api: 'ok',
      process: 'ok',
      agent: dead,
      readiness: dead,
      liveness: dead,
      script: 'exec-nonzero',
    });
    expect(alone.explain().episode?.diagnosis.cause).toBe('all-paths-dead');
    const beside = new Stage().healthy({ probes });
    beside.probe('script', 'failed', 'exec-nonzero');
    beside.answer({
      api: 'ok',
      process: 'ok',
      agent: 'ok',
      readiness: 'ok',
      liveness: 'ok',
      script: 'exec-nonzero',
    });
    expect(beside.explain().episode?.diagnosis.cause).toBe('service-unreachable');
  });
});

describe('an SSH server', () => {
  it.each([
    'authentication-failed',
    'exec-nonzero',
    'bad-body',
  ] as const)('that answers %s is a sign of life', (reason) => {
    const probes = [...PROBES, probe('ssh', 'liveness', 'ssh')];
    const s = new Stage().healthy({ probes });
    s.probe('ssh', 'failed', reason);
    const dead = 'response-timeout';
    s.answer({ api: 'ok', process: 'ok', agent: dead, readiness: dead, liveness: dead, ssh: reason });
    expect(s.explain().episode?.diagnosis.cause).toBe('service-unreachable');
  });
});
