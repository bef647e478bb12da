import { describe, expect, it } from 'vitest';
import { policyVm, probe, Stage, WEB } from './stage.js';

const reset = (clearHistory: boolean) =>
  ({ type: 'probes-reset', vm: WEB, author: 'ada', clearHistory }) as const;

describe('a person who resets the probes of a VM', () => {
  it('has thresholds start over: what failed has to fail again, what was ready has to succeed again', () => {
    const s = new Stage().healthy();
    const before = s.explain().probes.map(({ name, state }) => [name, state]);
    expect(new Set(before.map(([, state]) => state))).toEqual(new Set(['ok']));
    const effects = s.send(reset(false));
    expect(effects.map(({ type }) => type)).toEqual(['restart-probes']);
    expect(s.rules('note')).toContain('probes-reset');
    const after = s.explain().probes.filter(({ role }) => role === 'readiness');
    expect(after.map(({ state }) => state)).not.toContain('ok');
    s.allOk();
    expect(s.health()).toBe('healthy');
    expect(s.steps).toEqual([]);
  });

  it('keeps former episodes, and forgets them only if told so', () => {
    const s = new Stage().healthy();
    s.vmm({ type: 'panicked', action: 'pause' });
    s.boot();
    s.allOk();
    s.advance(3_600_000);
    expect(s.explain().pastEpisodes).toHaveLength(1);
    const { budget } = s.explain();
    s.send(reset(false));
    expect(s.explain().pastEpisodes).toHaveLength(1);
    s.send(reset(true));
    expect(s.explain().pastEpisodes).toEqual([]);
    expect(s.explain().budget).toEqual(budget);
  });
});

describe('a VM whose probes are configured anew', () => {
  const states = (s: Stage) => Object.fromEntries(s.explain().probes.map(({ name, state }) => [name, state]));
  const configure = (s: Stage, ...recounted: string[]) =>
    s.send({ type: 'vm-configured', vm: policyVm(), recounted });
  const ready = (s: Stage) => s.state.vms.get(WEB)?.ready;

  it('keeps what is known of those that the engine counts on', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    expect(configure(s).filter(({ type }) => type === 'confirm')).toHaveLength(0);
    expect(states(s)).toMatchObject({ liveness: 'failed', readiness: 'ok' });
    expect(ready(s)).toBe(true);
  });

  it('has a failed liveness start over that is counted anew, of which the engine would tell no end', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    configure(s, 'liveness');
    expect(states(s)).toMatchObject({ liveness: 'ok', readiness: 'ok' });
    expect(s.health()).toBe('healthy');
    s.probe('liveness', 'failed', 'connection-refused');
    expect(states(s).liveness).toBe('failed');
  });

  it.each([
    ['fails', 'bad-status', 'failed', false],
    ['is well', 'ok', 'ok', true],
    ['says nothing', undefined, 'ok', true],
  ] as const)('asks at once what a readiness is that is counted anew; it %s', (_how, answer, state, isReady) => {
    const s = new Stage().healthy();
    configure(s, 'readiness');
    // Nobody knows yet: it keeps its place.
    expect(ready(s)).toBe(true);
    expect(s.asked?.probes).toEqual(['readiness']);
    s.answer({ readiness: answer });
    expect(states(s).readiness).toBe(state);
    expect(ready(s)).toBe(isReady);
    const asks = () => s.effects.filter(({ type }) => type === 'confirm').length;
    s.advance(60_000);
    expect(asks()).toBeGreaterThan(1);
    // From then on the engine tells.
    s.probe('readiness', 'ok');
    expect(ready(s)).toBe(true);
    s.advance(60_000);
    const before = asks();
    s.advance(3_600_000);
    expect(asks()).toBe(before);
  });

  it('has a readiness fail since it was first found to, however often it is asked', () => {
    const s = new Stage().healthy();
    configure(s, 'readiness');
    const sinceMs = s.now;
    s.answer({ readiness: 'bad-status' });
    s.advance(1_000);
    s.answer({ readiness: 'bad-status' });
    expect(s.explain().probes.find(({ name }) => name === 'readiness')?.sinceMs).toBe(sinceMs);
  });

  it('asks a readiness that is seen on no path into the guest, too', () => {
    const probes = [probe('readiness', 'readiness', 'console'), probe('liveness', 'liveness', 'httpGet')];
    const s = new Stage().healthy({ probes });
    s.send({ type: 'vm-configured', vm: policyVm({ probes }), recounted: ['readiness'] });
    s.answer({ readiness: 'bad-body' });
    expect(states(s).readiness).toBe('failed');
  });

  it('begins with nothing where the role is another', () => {
    const s = new Stage().healthy();
    const probes = [
      probe('readiness', 'readiness', 'httpGet'),
      probe('agent', 'readiness', 'guestAgentPing'),
    ];
    s.send({ type: 'vm-configured', vm: policyVm({ probes }), recounted: ['agent'] });
    expect(states(s)).toEqual({ readiness: 'ok', agent: 'failed' });
  });
});
