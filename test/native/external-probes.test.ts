import { describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import type { Transition } from '../../src/engine/probe-engine.js';
import { systemClock } from '../../src/model/clock.js';
import { DEFAULT_TIMING } from '../../src/model/probe.js';
import type { ExternalProbe } from '../../src/probes/external.js';
import { ExternalRunner } from '../../src/runtime/external-runner.js';

/** The first transition of an external target that a probe answers for. */
async function transitionOf(backend: 'native' | 'portable', probe: ExternalProbe): Promise<Transition> {
  const engine = new ProbeEngine({ engine: backend });
  const runner = new ExternalRunner(engine, systemClock);
  onTestFinished(async () => {
    await runner.close();
    await engine.close();
  });
  const timing = { ...DEFAULT_TIMING, periodMs: 2000, timeoutMs: 1500, failureThreshold: 1 };
  engine.add([{ id: 'test/web/script', check: { kind: 'external' }, timing, startState: 'unknown' }]);
  for await (const batch of engine.transitions()) {
    for (const event of batch) {
      if (event.type === 'transition') return event;
      void runner.answer(event, probe, timing.timeoutMs);
    }
  }
  throw new Error('the engine ended');
}

describe.each(['native', 'portable'] as const)('a probe outside the %s engine', (backend) => {
  it('moves its thresholds', async () => {
    const outcome = { result: 'failed', reason: 'exec-nonzero' } as const;
    const probe = { probe: async () => ({ outcome }) };
    expect(await transitionOf(backend, probe)).toMatchObject({ to: 'failed', reason: 'exec-nonzero' });
  });

  it('that does not end has failed in time: the engine does not take it for its own slowness', async () => {
    const probe = { probe: () => new Promise<never>(() => {}) };
    expect(await transitionOf(backend, probe)).toMatchObject({ to: 'failed', reason: 'response-timeout' });
  });
});
