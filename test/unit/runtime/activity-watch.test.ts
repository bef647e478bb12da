import { describe, expect, it } from 'vitest';
import { settle } from '../../fakes/manual-clock.js';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const web = vmSpec('web');

/** A guest of which nothing answers any more. */
async function hangs(h: Harness): Promise<void> {
  for (const probe of ['readiness', 'liveness', 'agent']) {
    h.engine.answers.set(`test/web/${probe}`, { result: 'failed', reason: 'response-timeout' });
    h.engine.transition(`test/web/${probe}`, 'failed', 'response-timeout');
  }
  await settle();
}

describe('a guest of which nothing answers', () => {
  it('is reset when its counters stand still', async () => {
    const h = new Harness();
    h.driver.counters.set('test/web', [{ name: 'disk vda', value: 7 }]);
    await h.startHealthy(web);
    await hangs(h);
    await h.clock.advance(1_000);
    expect(h.driver.calls).not.toContain('reset test/web');
    await h.clock.advance(4_000);
    expect(h.driver.calls).toContain('reset test/web');
  });

  it('is not while they move, and is once they stood still for the window', async () => {
    const h = new Harness();
    h.driver.counters.set('test/web', [{ name: 'disk vda', value: 7 }]);
    await h.startHealthy(web);
    await hangs(h);
    for (let value = 8; value < 20; value++) {
      h.driver.counters.set('test/web', [{ name: 'disk vda', value }]);
      await h.clock.advance(10_000);
    }
    expect(h.driver.calls).not.toContain('reset test/web');
    expect(h.explain(web).holds.map(({ rule }) => rule)).toContain('io-veto');
    await h.clock.advance(130_000);
    expect(h.driver.calls).toContain('reset test/web');
  });
});
