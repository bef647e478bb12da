import { expect, it } from 'vitest';
import { vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

it('says why nothing goes on any more, for a watchdog of the host', async () => {
  const harness = new Harness();
  expect(harness.supervisor.stuck()).toBe('it was not started');
  await harness.startHealthy(vmSpec('web'));
  expect(harness.supervisor.stuck()).toBeUndefined();
  const stats = harness.engine.stats();
  harness.engine.stats = () => ({ ...stats, reactorsDown: 1 });
  expect(harness.supervisor.stuck()).toBe('1 reactors of the engine are down');
  await harness.supervisor.close();
  expect(harness.supervisor.stuck()).toBe('it is closed');
});
