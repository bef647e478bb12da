import { describe, expect, it } from 'vitest';
import { policyVm, Stage, WEB } from './stage.js';

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
  it('has a failed liveness start over, of which the engine would tell no end, and what was ready stays so', () => {
    const s = new Stage().healthy();
    s.probe('liveness', 'failed', 'connection-refused');
    const states = () => new Map(s.explain().probes.map(({ name, state }) => [name, state]));
    expect(states().get('liveness')).toBe('failed');
    s.send({ type: 'vm-configured', vm: policyVm() });
    expect(states().get('liveness')).toBe('ok');
    expect(states().get('readiness')).toBe('ok');
    expect(s.health()).toBe('healthy');
    s.probe('liveness', 'failed', 'connection-refused');
    expect(states().get('liveness')).toBe('failed');
  });
});
