import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMING } from '../../../src/model/probe.js';
import type { Beat, ExternalProbe } from '../../../src/probes/external.js';
import { lookOnce } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';
import { ManualClock } from '../../fakes/manual-clock.js';

function open() {
  const clock = new ManualClock();
  const probe: ExternalProbe | undefined = PROBE_KINDS.heartbeat.open(
    { kind: 'heartbeat' },
    {
      probe: 'heartbeat',
      timing: { ...DEFAULT_TIMING, periodMs: 10_000, timeoutMs: 1_000 },
      clock,
      runInPool: () => Promise.reject(new Error('no pool here')),
      runTogether: () => Promise.reject(new Error('not asked for')),
      resolveHost: () => Promise.reject(new Error('not asked for')),
    },
  );
  if (probe === undefined) throw new Error('a heartbeat comes outside the engine');
  const send = (status: Beat['status'] = 'ok', message = '') =>
    probe.heartbeat?.({ atMs: clock.now(), status, message });
  return { clock, probe, send, look: () => lookOnce(probe, { timeoutMs: 1000, clock }) };
}

describe('a heartbeat', () => {
  it('is ok while it comes once a period, a little late at most, and fails when it is missing', async () => {
    const { clock, send, look } = open();
    send();
    expect(await look()).toEqual({ outcome: { result: 'ok' }, warnings: [] });
    await clock.advance(11_000);
    expect((await look()).outcome).toEqual({ result: 'ok' });
    await clock.advance(1_000);
    expect(await look()).toEqual({
      outcome: { result: 'failed', reason: 'no-reply' },
      message: 'no heartbeat for 12 s',
    });
    send();
    expect((await look()).outcome).toEqual({ result: 'ok' });
  });

  it('that has not come yet says nothing in the first period of a boot, and fails then', async () => {
    const { clock, probe, send, look } = open();
    const waiting = {
      outcome: { result: 'inconclusive', reason: 'suspended' },
      message: 'no heartbeat yet',
    };
    expect(await look()).toEqual(waiting);
    await clock.advance(12_000);
    expect((await look()).outcome).toEqual({ result: 'failed', reason: 'no-reply' });
    send();
    probe.newInstance?.();
    expect(await look()).toEqual(waiting);
  });

  it('may tell how the guest is', async () => {
    const { send, look } = open();
    send('warning', 'disk 91 % full');
    expect(await look()).toEqual({
      outcome: { result: 'ok' },
      warnings: ['disk 91 % full'],
      message: 'disk 91 % full',
    });
    send('critical', 'disk full');
    expect(await look()).toEqual({
      outcome: { result: 'failed', reason: 'bad-status' },
      message: 'disk full',
    });
  });
});
