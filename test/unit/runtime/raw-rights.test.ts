import { describe, expect, it } from 'vitest';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const ALL = 'Name:\tnode\nCapEff:\t000001ffffffffff\n';
/** Bit 13, CAP_NET_RAW, is not set. */
const NO_RAW = 'Name:\tnode\nCapEff:\t000001ffffffdfff\n';

async function degradationsWith(ownStatus: string) {
  const ping = probeSpec('ping', 'check', { kind: 'icmp', count: 1, payloadBytes: 56 });
  const vm = vmSpec('a', { probes: [...vmSpec('a').probes, ping] });
  const harness = new Harness({ ownStatus });
  harness.driver.boot(vm);
  await harness.supervisor.start([vm]);
  return harness.supervisor.degradations;
}

describe('a probe that needs raw sockets', () => {
  it('is said to be hindered, by its name and with a remedy, when it is registered without CAP_NET_RAW', async () => {
    const [only, ...more] = await degradationsWith(NO_RAW);
    expect(more).toEqual([]);
    expect(only).toMatchObject({
      what: `privileges/${vmSpec('a').id}/ping`,
      why: expect.stringContaining('AmbientCapabilities=CAP_NET_RAW'),
    });
  });

  it.each([ALL, ''])('is not, with the capability or where the kernel says nothing: %j', async (status) => {
    expect(await degradationsWith(status)).toEqual([]);
  });
});
