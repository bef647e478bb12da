import { describe, expect, it } from 'vitest';
import { isVmpulseError } from '../../../src/model/errors.js';
import { Heartbeats } from '../../../src/runtime/heartbeats.js';
import type { ObservableJournal } from '../../../src/runtime/journal/index.js';
import { settle } from '../../fakes/manual-clock.js';
import { probeSpec, vmSpec } from '../../fixtures/vm-spec.js';
import { Harness } from './harness.js';

const beat = { kind: 'heartbeat' } as const;
const withHeartbeat = (name: string, ...more: string[]) =>
  vmSpec(name, {
    probes: [
      ...vmSpec(name).probes,
      ...['heartbeat', ...more].map((probe) => probeSpec(probe, 'check', beat)),
    ],
  });

async function start(h: Harness, ...vms: ReturnType<typeof vmSpec>[]) {
  await h.startHealthy(...vms);
  return desk(h);
}

function desk(h: Harness): Heartbeats {
  const { clock, journal } = h;
  const { recorder, units } = h.supervisor;
  return new Heartbeats({ journal, clock, recorder, units, deadlineMs: 1000 });
}

async function lookAt(h: Harness, id: string) {
  h.engine.due(id);
  await settle();
  return h.engine.reports.at(-1)?.outcome;
}

/** The code that a heartbeat is refused with. */
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'taken',
    (error: unknown) => (isVmpulseError(error) ? error.code : String(error)),
  );

describe('heartbeats', () => {
  it('reach the probe of the VM whose token they have', async () => {
    const h = new Harness();
    const heartbeats = await start(h, withHeartbeat('web'));
    const token = await heartbeats.issueToken('test/web', 'ann@1000');
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await lookAt(h, 'test/web/heartbeat')).toEqual({ result: 'inconclusive', reason: 'suspended' });
    await heartbeats.receive('test/web', token, {});
    expect(await lookAt(h, 'test/web/heartbeat')).toEqual({ result: 'ok' });
    await heartbeats.receive('test/web', token, { status: 'critical', message: 'disk\u001b[31m' });
    expect(await lookAt(h, 'test/web/heartbeat')).toEqual({ result: 'failed', reason: 'bad-status' });
    expect(h.supervisor.units.get('test/web')?.probes.get('heartbeat')?.message).toBe('disk\\u001b[31m');
  });

  it('count for no other VM, whatever they say', async () => {
    const h = new Harness();
    const heartbeats = await start(h, withHeartbeat('web'), withHeartbeat('db'));
    const web = await heartbeats.issueToken('test/web', 'ann@1000');
    await heartbeats.issueToken('test/db', 'ann@1000');
    expect(await codeOf(heartbeats.receive('test/db', web, {}))).toBe('ERR_VMPULSE_UNAUTHORIZED');
    expect(await lookAt(h, 'test/db/heartbeat')).toEqual({ result: 'inconclusive', reason: 'suspended' });
    expect(await lookAt(h, 'test/web/heartbeat')).toEqual({ result: 'inconclusive', reason: 'suspended' });
  });

  it('are refused with a wrong, an old or no token, and for VMs that there are not', async () => {
    const h = new Harness();
    const heartbeats = await start(h, withHeartbeat('web'));
    expect(await codeOf(heartbeats.receive('test/web', 'guess', {}))).toBe('ERR_VMPULSE_UNAUTHORIZED');
    const old = await heartbeats.issueToken('test/web', 'ann@1000');
    const token = await heartbeats.issueToken('test/web', 'ann@1000');
    expect(await codeOf(heartbeats.receive('test/web', old, {}))).toBe('ERR_VMPULSE_UNAUTHORIZED');
    expect(await codeOf(heartbeats.receive(undefined, token, {}))).toBe('ERR_VMPULSE_UNAUTHORIZED');
    expect(await codeOf(heartbeats.receive('test/web', token, {}))).toBe('taken');
  });

  it('that were refused are in the journal, once a minute with their number', async () => {
    const h = new Harness();
    const heartbeats = await start(h, withHeartbeat('web'));
    const flood = async () => {
      for (let i = 0; i < 100; i++) await codeOf(heartbeats.receive('test/web', 'guess', {}));
    };
    await flood();
    await h.clock.advance(59_000);
    await flood();
    await h.clock.advance(1_000);
    await codeOf(heartbeats.receive('test/web', 'guess', {}));
    await h.supervisor.recorder.settled();
    const { entries } = await h.journal.query({ vm: 'test/web', order: 'oldest', limit: 1000 });
    const told = entries.filter(({ text }) => text.includes('refused: their token'));
    expect(told.map(({ data }) => data)).toEqual([{ refused: 1 }, { refused: 200 }]);
  });

  it('may be for one of several probes, and for no other kind', async () => {
    const h = new Harness();
    const heartbeats = await start(h, withHeartbeat('web', 'backup'), vmSpec('none'));
    heartbeats.take('test/web', { probe: 'backup' });
    expect(await lookAt(h, 'test/web/backup')).toEqual({ result: 'ok' });
    expect(await lookAt(h, 'test/web/heartbeat')).toEqual({ result: 'inconclusive', reason: 'suspended' });
    expect(() => heartbeats.take('test/web', { probe: 'liveness' })).toThrow(
      'test/web has no heartbeat probe named liveness',
    );
    expect(() => heartbeats.take('test/none', {})).toThrow('test/none has no probe of kind heartbeat');
  });

  it('are known to a restarted daemon, which has only the hash', async () => {
    const h = new Harness();
    const token = await (await start(h, withHeartbeat('web'))).issueToken('test/web', 'ann@1000');
    const stored = JSON.stringify([...(await h.journal.loadState(''))]);
    expect(stored).toContain('heartbeat-token/test/web');
    expect(stored).not.toContain(token);
    expect(await codeOf(desk(h).receive('test/web', token, {}))).toBe('taken');
  });

  it('say that the journal cannot be read, and not that the token is wrong', async () => {
    const h = new Harness();
    await start(h, withHeartbeat('web'));
    const { recorder, units } = h.supervisor;
    const journal: ObservableJournal = Object.create(h.journal, {
      loadState: { value: () => Promise.reject(new Error('disk')) },
    });
    const heartbeats = new Heartbeats({ journal, clock: h.clock, recorder, units, deadlineMs: 1000 });
    expect(await codeOf(heartbeats.receive('test/web', 'x', {}))).toBe('Error: disk');
  });
});
