import { describe, expect, it } from 'vitest';
import { ProbeEngine } from '../../../src/engine/index.js';
import { testFolder } from '../../fixtures/folder.js';
import { freePort } from '../../fixtures/ports.js';
import { Events, eventually, target, tcpCheck, within } from '../../native/engine/support.js';
import { errorOf, openPortable } from './support.js';

const TIMING = {
  initialDelayMs: 0,
  periodMs: 1000,
  timeoutMs: 100,
  successThreshold: 1,
  failureThreshold: 1,
};

/** Every method, as a caller would use it on a target of this handle. */
const CALLS: Readonly<Record<string, (engine: ProbeEngine, handle: number) => unknown>> = {
  add: (engine) => engine.add([target('x', { kind: 'external' })]),
  update: (engine, handle) => engine.update([{ handle, timing: TIMING }]),
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
    const engine = new ProbeEngine({ engine: 'portable' });
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
    const engine = openPortable();
    const [handle = 0] = engine.add([target('a', { kind: 'external' })]);
    engine.remove([handle]);
    const error = await outcomeOf(() => CALLS[name]?.(engine, handle));
    expect(error).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
    expect(String(error)).toContain(`handle ${handle}`);
  });

  it('a report of a removed target is refused quietly, one of a target that is not external loudly', () => {
    const engine = openPortable();
    const [gone = 0, tcp = 0] = engine.add([
      target('a', { kind: 'external' }),
      target('b', tcpCheck(1), { periodMs: 60_000 }),
    ]);
    engine.remove([gone]);
    expect(engine.report(gone, 1, { result: 'ok' }, 1)).toBe(false);
    expect(errorOf(() => engine.report(tcp, 1, { result: 'ok' }, 1)).message).toContain('is not external');
    expect(errorOf(() => engine.report(tcp, 1, { result: 'ok' }, -1)).message).toContain('durationMs -1');
  });

  it('suspend and resume are idempotent, in every order', () => {
    const engine = openPortable();
    const [handle = 0] = engine.add([target('a', { kind: 'external' }, { periodMs: 60_000 })]);
    for (const call of ['resume', 'suspend', 'suspend', 'newInstance', 'resume', 'resume'] as const) {
      engine[call]([handle]);
    }
    expect(engine.status(handle)).toMatchObject({
      epoch: 2,
      suspended: false,
      state: 'unknown',
      lastAtMs: 0,
    });
  });
});

describe('arguments', () => {
  it.each([
    [{ threads: 0 }, 'threads 0 is not between 1 and 64'],
    [{ lateMs: Number.NaN }, 'lateMs NaN is not between 10 and 2592000000 (30 days)'],
    [{ tickMs: 5000 }, 'tickMs is more than 1000'],
    [{ maxInFlight: 0 }, 'maxInFlight 0 is not between 1 and 1000000'],
    [{ maxInFlightPerDestination: 1.5 }, 'maxInFlightPerDestination 1.5 is not between 1 and 1000000'],
    [{ blindAfter: -1 }, 'blindAfter -1 is not between 1 and 1000000'],
    [{ reactor: 'kqueue' as string as 'epoll' }, `reactor "kqueue" is neither 'auto' nor 'epoll'`],
  ])('the option %j is refused', (options, message) => {
    const error = errorOf(() => new ProbeEngine({ engine: 'portable', ...options }));
    expect([error.code, error.message]).toEqual(['ERR_VMPULSE_ARGUMENT', message]);
  });

  it('a wrong target in a list is named, and nothing is added', () => {
    const engine = openPortable();
    const targets = Array.from({ length: 20 }, (_, index) => target(`t${index}`, { kind: 'external' }));
    targets[15] = target('broken', { kind: 'external' }, { periodMs: 1 });
    expect(() => engine.add(targets)).toThrow(/^targets\[15\] \(broken\): periodMs 1 is not/);
    expect(engine.stats().targets).toBe(0);
    expect(engine.add([])).toHaveLength(0);
  });

  it.each([
    [{ kind: 'tcpSocket', endpoint: { ip: 'localhost', port: 1 }, close: 'rst' }, 'endpoint'],
    [{ kind: 'tcpSocket', endpoint: { ip: 'fe80::1%eth0', port: 1 }, close: 'rst' }, 'endpoint'],
    [{ kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port: 0 }, close: 'rst' }, 'endpoint'],
    [{ kind: 'tcpSocket', endpoint: { unix: `/${'x'.repeat(107)}` }, close: 'rst' }, 'endpoint'],
    [{ kind: 'vmState', channel: 77 }, 'no channel has the handle 77'],
    [{ kind: 'vmmProcess', pidfd: 100_000, pid: process.pid }, 'pidfd 100000 is not an open descriptor'],
    [{ kind: 'vmmProcess', pidfd: 0, pid: process.pid }, 'descriptor 0 is not a pidfd'],
  ] as const)('the check %j is refused', async (check, text) => {
    const engine = openPortable();
    const wanted = { code: 'ERR_VMPULSE_ARGUMENT', message: expect.stringContaining(text) };
    expect(() => engine.add([target('a', check)])).toThrow(expect.objectContaining(wanted));
    await expect(engine.probeOnce(check, { timeoutMs: 100 })).rejects.toMatchObject(wanted);
  });

  it('an id must have 1 to 512 bytes', () => {
    const engine = openPortable();
    for (const id of ['', 'ä'.repeat(257)]) {
      expect(() => engine.add([target(id, { kind: 'external' })])).toThrow(/id must have 1 to 512 bytes/);
    }
  });

  it.each([
    [{ protocol: 'qmp', path: '' }, 'path'],
    [{ protocol: 'qmp', path: '/a', reconnectMs: 0 }, 'reconnectMs 0'],
    [{ protocol: 'qga', path: '/a', greetingTimeoutMs: Number.NaN }, 'greetingTimeoutMs'],
  ] as const)('the channel %j is refused', (options, text) => {
    const error = errorOf(() => openPortable().openChannel(options));
    expect(error).toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining(text),
    });
  });

  it('a change that cannot be made changes nothing', () => {
    const engine = openPortable();
    const [a = 0, b = 0] = engine.add([
      target('a', { kind: 'external' }, { periodMs: 60_000 }),
      target('b', { kind: 'external' }, { periodMs: 60_000 }),
    ]);
    const changes = [
      { handle: a, timing: TIMING },
      { handle: b, timing: { ...TIMING, timeoutMs: 5000 } },
    ];
    expect(() => engine.update(changes)).toThrow(/^changes\[1\]: timeoutMs 5000 must be less/);
    expect(() => engine.suspend([a, 999])).toThrow(/handle 999/);
    expect(engine.status(a).suspended).toBe(false);
  });
});

describe('the end', () => {
  it('close is idempotent, at once too', async () => {
    const engine = new ProbeEngine({ engine: 'portable' });
    const first = engine.close();
    expect(engine.close()).toBe(first);
    await first;
    await engine.close({ deadlineMs: 1 });
    await engine[Symbol.asyncDispose]();
  });

  it('close ends every call that is outstanding', async () => {
    const engine = new ProbeEngine({ engine: 'portable' });
    const channel = engine.openChannel({ protocol: 'qmp', path: `${testFolder()}/no` });
    const calls = [
      engine.probeOnce(tcpCheck(await freePort()), { timeoutMs: 60_000 }),
      channel.request('query-status', undefined, { deadlineMs: 60_000 }),
    ];
    const iteration = engine.transitions().next();
    const closing = engine.close();
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ERR_VMPULSE_CLOSED' });
    expect(await iteration).toEqual({ done: true, value: undefined });
    await closing;
  });

  it('an abort ends a call and an iteration at once', async () => {
    const engine = openPortable();
    const abort = new AbortController();
    const probe = engine.probeOnce(tcpCheck(1), { timeoutMs: 60_000, signal: abort.signal });
    const iteration = engine.transitions({ signal: abort.signal }).next();
    abort.abort(new Error('enough'));
    await expect(probe).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED', cause: new Error('enough') });
    expect(await within(iteration, 'the end of the iteration')).toEqual({ done: true, value: undefined });
    const late = engine.probeOnce(tcpCheck(1), { timeoutMs: 60_000, signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: 'ERR_VMPULSE_ABORTED' });
  });

  it('there is one consumer at a time', async () => {
    const engine = openPortable();
    const first = engine.transitions();
    expect(errorOf(() => engine.transitions()).code).toBe('ERR_VMPULSE_ARGUMENT');
    await first.return?.();
    engine.transitions();
  });

  it('events of removed targets and of instances that are over are left out', async () => {
    const engine = openPortable();
    const port = await freePort();
    const fast = { failureThreshold: 1 };
    const [removed = 0, renewed = 0, kept = 0] = engine.add([
      target('a', tcpCheck(port), fast),
      target('b', tcpCheck(port), fast),
      target('c', tcpCheck(port), fast),
    ]);
    for (const handle of [removed, renewed, kept]) {
      await eventually(() => engine.status(handle).state === 'failed', 'failed');
    }
    engine.remove([removed]);
    engine.suspend([renewed]);
    engine.newInstance([renewed]);
    expect(await new Events(engine).next()).toMatchObject({ handle: kept, to: 'failed' });
  });
});
