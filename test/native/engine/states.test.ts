import { describe, expect, it } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import { testFolder } from '../../fixtures/folder.js';
import { Events, openEngine, target, tcpCheck, tcpServer, within } from './support.js';

const timing = {
  initialDelayMs: 0,
  periodMs: 1000,
  timeoutMs: 100,
  successThreshold: 1,
  failureThreshold: 1,
};

/** Slow enough that reports of a busy test are in time. */
const SLOW = { periodMs: 400, timeoutMs: 390 };

/** Every method, as a caller would use it on a target of this handle. */
const CALLS: Readonly<Record<string, (engine: ProbeEngine, handle: number) => unknown>> = {
  add: (engine) => engine.add([target('x', { kind: 'external' })]),
  update: (engine, handle) => engine.update([{ handle, timing }]),
  remove: (engine, handle) => engine.remove([handle]),
  suspend: (engine, handle) => engine.suspend([handle]),
  resume: (engine, handle) => engine.resume([handle]),
  newInstance: (engine, handle) => engine.newInstance([handle]),
  probeNow: (engine, handle) => engine.probeNow(handle),
  probeOnce: (engine) => engine.probeOnce(tcpCheck(1), { timeoutMs: 100 }),
  report: (engine, handle) => engine.report(handle, 1, { result: 'ok' }, 1),
  status: (engine, handle) => engine.status(handle),
  stats: (engine) => engine.stats(),
  snapshot: (engine) => engine.snapshot(),
  restore: (engine) => engine.restore(new Uint8Array()),
  openChannel: (engine) => engine.openChannel({ protocol: 'qmp', path: '/nonexistent/qmp' }),
  transitions: (engine) => engine.transitions(),
  ref: (engine) => engine.ref(),
  unref: (engine) => engine.unref(),
};

async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

describe('each method in each state', () => {
  it('knows every method', () => {
    const methods = Object.getOwnPropertyNames(ProbeEngine.prototype).filter(
      (name) => !['constructor', 'close'].includes(name),
    );
    expect(Object.keys(CALLS).sort()).toEqual(methods.sort());
  });

  it.each(Object.entries(CALLS))('%s after close() says so', async (_name, call) => {
    const engine = new ProbeEngine({ engine: 'native' });
    const [handle = 0] = engine.add([target('a', { kind: 'external' })]);
    await engine.close();
    expect(await outcomeOf(() => call(engine, handle))).toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
  });

  it.each([
    'update',
    'remove',
    'suspend',
    'resume',
    'newInstance',
    'probeNow',
    'status',
  ])('%s of a removed target names its handle', async (name) => {
    const engine = openEngine();
    const [handle = 0] = engine.add([target('a', { kind: 'external' })]);
    engine.remove([handle]);
    const error = await outcomeOf(() => CALLS[name]?.(engine, handle));
    expect(error).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
    expect(String(error)).toContain(String(handle));
  });

  it('reports of a removed target are refused quietly', () => {
    const engine = openEngine();
    const [handle = 0] = engine.add([target('a', { kind: 'external' })]);
    engine.remove([handle]);
    expect(engine.report(handle, 1, { result: 'ok' }, 1)).toBe(false);
  });

  it('close is idempotent, at once too', async () => {
    const engine = new ProbeEngine();
    const first = engine.close();
    expect(engine.close()).toBe(first);
    await first;
    await engine.close({ deadlineMs: 1 });
    await engine[Symbol.asyncDispose]();
  });

  it('wrong options are named', () => {
    expect(() => new ProbeEngine({ threads: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT', message: 'threads 0 is not between 1 and 64' }),
    );
    expect(() => new ProbeEngine({ lateMs: Number.NaN })).toThrow(/^lateMs NaN is not between/);
    const reactor = 'kqueue' as string as 'epoll';
    expect(() => new ProbeEngine({ reactor })).toThrow(
      expect.objectContaining({
        code: 'ERR_VMPULSE_ARGUMENT',
        message: `reactor "kqueue" is neither 'auto' nor 'epoll'`,
      }),
    );
  });

  it('can be kept from io_uring, and tells what it connects by', () => {
    expect(openEngine({ reactor: 'epoll' }).stats().reactor).toBe('epoll');
    expect(['epoll', 'io_uring']).toContain(openEngine().stats().reactor);
  });

  it('a wrong target in a long list is named and nothing is added', () => {
    const engine = openEngine();
    const targets = Array.from({ length: 5000 }, (_, index) => target(`t${index}`, { kind: 'external' }));
    targets[4500] = target('broken', { kind: 'external' }, { periodMs: 1 });
    expect(() => engine.add(targets)).toThrow(/^targets\[4500\] \(broken\): periodMs 1 is not/);
    expect(engine.add([])).toHaveLength(0);
  });
});

describe('promises', () => {
  it('an abort ends a call at once', async () => {
    const engine = openEngine();
    const abort = new AbortController();
    const probe = engine.probeOnce(
      {
        kind: 'guestAgentPing',
        channel: engine.openChannel({ protocol: 'qga', path: `${testFolder()}/no` }).handle,
      },
      { timeoutMs: 60_000, signal: AbortSignal.abort() },
    );
    await expect(probe).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
    const waiting = engine.transitions({ signal: abort.signal }).next();
    abort.abort();
    expect(await within(waiting, 'the end of the iteration')).toEqual({ done: true, value: undefined });
  });

  it('close ends every call that is outstanding', async () => {
    const engine = new ProbeEngine();
    const { port } = await tcpServer();
    const http = { scheme: 'http', port, path: '/', headers: [] } as const;
    const silent = engine.probeOnce(
      { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http },
      { timeoutMs: 60_000 },
    );
    const iteration = engine.transitions().next();
    const closing = engine.close();
    await expect(silent).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect(await iteration).toEqual({ done: true, value: undefined });
    await closing;
  });

  it('probeNow of an external target is unsupported', async () => {
    const engine = openEngine();
    const [handle = 0] = engine.add([target('x', { kind: 'external' })]);
    await expect(engine.probeNow(handle)).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
  });
});

describe('external targets', () => {
  it('are due, reported, and counted', async () => {
    const engine = openEngine();
    const events = new Events(engine);
    const [handle = 0] = engine.add([target('x', { kind: 'external' }, SLOW)]);
    for (let round = 0; round < 2; round += 1) {
      const due = await events.due(handle);
      expect(due.deadlineMs).toBeGreaterThan(Date.now() - 20_000);
      expect(engine.report(handle, due.epoch, { result: 'failed', reason: 'exec-nonzero' }, 7)).toBe(true);
    }
    const transition = await events.until(handle, 'failed');
    expect(transition).toMatchObject({ from: 'unknown', reason: 'exec-nonzero', count: 2, durationMs: 7 });
    expect(engine.status(handle)).toMatchObject({
      state: 'failed',
      lastOutcome: { result: 'failed', reason: 'exec-nonzero' },
    });
    engine.newInstance([handle]);
    expect(engine.report(handle, transition.epoch, { result: 'ok' }, 1)).toBe(false);
    expect(engine.status(handle)).toMatchObject({ epoch: transition.epoch + 1, state: 'unknown' });
  });

  it('states survive a restart by their ids', async () => {
    const first = openEngine();
    const events = new Events(first);
    const [handle = 0] = first.add([target('vm/x', { kind: 'external' }, { ...SLOW, failureThreshold: 1 })]);
    const due = await events.due(handle);
    first.report(handle, due.epoch, { result: 'failed', reason: 'console-silent' }, 1);
    const before = await events.until(handle, 'failed');
    const snapshot = await first.snapshot();
    await first.close();

    const second = openEngine();
    second.restore(snapshot);
    const [again = 0] = second.add([target('vm/x', { kind: 'external' })]);
    const told = await new Events(second).until(again, 'failed');
    expect(told).toMatchObject({ reason: 'console-silent', streakStartMs: before.streakStartMs });
    snapshot[9] = (snapshot[9] ?? 0) ^ 1;
    expect(() => second.restore(snapshot)).toThrow(expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT' }));
  });
});
