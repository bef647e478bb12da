import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/model/outcome.js';
import type { CustomProbe } from '../../../src/runtime/custom-probes.js';
import { settle } from '../../fakes/manual-clock.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const queueDepth = { kind: 'custom', probe: 'queue-depth', options: { max: 10 } } as const;
const vm = vmSpec('web', {
  probes: [...vmSpec('web').probes, probeSpec('queue', 'check', queueDepth)],
});

async function reportOf(probe: CustomProbe, advanceMs = 0): Promise<Outcome | undefined> {
  const h = new Harness({ probes: { 'queue-depth': probe } });
  h.driver.boot(vm);
  await h.supervisor.start([vm]);
  h.engine.due('test/web/queue');
  await settle();
  await h.clock.advance(advanceMs);
  return h.engine.reports[0]?.outcome;
}

describe('probes of the host program', () => {
  it('run when they are due, with the VM and their options', async () => {
    const asked: unknown[] = [];
    const outcome = await reportOf(async ({ id }, options) => {
      asked.push([id, options]);
      return { result: 'failed', reason: 'latency' };
    });
    expect(outcome).toEqual({ result: 'failed', reason: 'latency' });
    expect(asked).toContainEqual(['test/web', { max: 10 }]);
  });

  it('are inconclusive when they throw: could not probe is not unhealthy', async () => {
    expect(await reportOf(() => Promise.reject(new Error('no connection to the queue')))).toEqual({
      result: 'inconclusive',
      reason: 'prober-resources',
    });
  });

  it('time out at their time, told by the signal', async () => {
    let aborted = false;
    const outcome = await reportOf((_vm, _options, { signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    }, 1500);
    expect(outcome).toEqual({ result: 'failed', reason: 'response-timeout' });
    expect(aborted).toBe(true);
  });

  it('are asked anew for a confirmation', async () => {
    let calls = 0;
    const h = new Harness({
      probes: {
        'queue-depth': async () => {
          calls++;
          return { result: 'ok' };
        },
      },
    });
    await h.startHealthy(vm);
    h.engine.answers.set('test/web/liveness', { result: 'failed', reason: 'connection-refused' });
    h.engine.transition('test/web/liveness', 'failed', 'connection-refused');
    await h.clock.advance(5000);
    expect(calls).toBeGreaterThan(0);
  });

  it('that nobody brought are a visible degradation', async () => {
    const h = new Harness();
    h.driver.boot(vm);
    await h.supervisor.start([vm]);
    const found = h.supervisor.degradations.find(({ what }) => what === 'probe/test/web/queue');
    expect(found?.why).toContain('no custom probe queue-depth is registered');
    expect(h.engine.ids()).toContain('test/web/liveness');
  });
});
