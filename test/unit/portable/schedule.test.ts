import { describe, expect, it, vi } from 'vitest';
import type { ProbeEngine } from '../../../src/engine/index.js';
import { REASON_CLASS } from '../../../src/model/reasons.js';
import { freePort } from '../../fixtures/ports.js';
import { Events, eventually, PATIENCE_MS, target, tcpCheck, tcpServer } from '../../native/engine/support.js';
import { block, openPortable, stuckListener } from './support.js';

const LONG = { periodMs: 60_000, timeoutMs: 40 };

/** Probes counted of a kind and reason. */
function count(engine: ProbeEngine, reason: string): number {
  return engine
    .stats()
    .outcomes.filter((entry) => entry.reason === reason)
    .reduce((sum, entry) => sum + entry.count, 0);
}

describe('TCP targets', () => {
  it('rise and fall, each transition from where the last one led', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const { server, port } = await tcpServer();
    const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
    const up = await events.until(handle, 'ok');
    expect(up).toMatchObject({ from: 'unknown', epoch: 1, count: 1 });
    expect(up.lastOkMs).toBe(up.atMs);
    server.close();
    const down = await events.until(handle, 'failed');
    expect(down).toMatchObject({ from: 'ok', reason: 'connection-refused', count: 2 });
    expect(down.streakStartMs).toBeGreaterThanOrEqual(down.lastOkMs);
    await tcpServer(port);
    expect((await events.until(handle, 'ok')).from).toBe('failed');
    expect(engine.status(handle)).toMatchObject({ state: 'ok', lastOutcome: { result: 'ok' } });
  });

  it('leave no connection open, by reset or by an orderly close', async () => {
    const engine = openPortable();
    const ended = { rst: 0, fin: 0 };
    const servers = await Promise.all(
      (['rst', 'fin'] as const).map(async (close) => {
        const { server, port } = await tcpServer();
        server.on('connection', (socket) => {
          socket.resume().on('end', () => socket.end());
          socket.on('close', () => {
            ended[close] += 1;
          });
        });
        return { kind: 'tcpSocket', endpoint: { ip: '127.0.0.1', port }, close } as const;
      }),
    );
    engine.add(servers.map((check) => target(check.close, check)));
    await vi.waitFor(() => {
      expect(ended.rst).toBeGreaterThan(2);
      expect(ended.fin).toBeGreaterThan(2);
    }, PATIENCE_MS);
  });

  it.each(['tcp', 'unix'] as const)('a full backlog (%s) is a connect-timeout', async (family) => {
    const { endpoint, fill } = await stuckListener(family);
    await fill();
    const check = { kind: 'tcpSocket', endpoint, close: 'rst' } as const;
    const startMs = Date.now();
    const { outcome } = await openPortable().probeOnce(check, { timeoutMs: 300 });
    expect(outcome).toEqual({ result: 'failed', reason: 'connect-timeout' });
    expect(Date.now() - startMs, 'told though nothing else wakes the loop').toBeLessThan(4000);
  });
});

describe('the schedule', () => {
  it('spreads the first starts over the period', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const handles = engine.add(
      Array.from({ length: 200 }, (_, index) =>
        target(`vm-${index}`, { kind: 'external' }, { periodMs: 2000, timeoutMs: 1900 }),
      ),
    );
    const startMs = Date.now();
    const seen = new Set<number>();
    let firstHalf = 0;
    while (seen.size < handles.length) {
      const event = await events.next();
      if (event.type !== 'due' || seen.has(event.handle)) continue;
      seen.add(event.handle);
      if (event.deadlineMs - 1900 - startMs < 1000) firstHalf += 1;
    }
    expect(firstHalf).toBeGreaterThan(50);
    expect(firstHalf).toBeLessThan(150);
  });

  it('waits for the initial delay of each instance', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const [late = 0, early = 0] = engine.add([
      target('late', { kind: 'external' }, { initialDelayMs: 60_000 }),
      target('early', { kind: 'external' }),
    ]);
    for (let round = 0; round < 3; round += 1) {
      const due = await events.due(early);
      engine.report(early, due.epoch, { result: 'ok' }, 1);
    }
    expect(engine.status(late).lastAtMs).toBe(0);
  });

  it('confirms a failure on the retry period, then waits on the down period', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const port = await freePort();
    const timing = {
      periodMs: 5000,
      timeoutMs: 500,
      failureThreshold: 4,
      retryPeriodMs: 50,
      downPeriodMs: 60_000,
    };
    const [handle = 0] = engine.add([target('a', tcpCheck(port), timing)]);
    const down = await events.until(handle, 'failed');
    expect(down.count).toBe(4);
    expect(down.atMs - down.streakStartMs, 'three retries, not three periods').toBeLessThan(10_000);
    engine.update([{ handle, timing: { ...target('a', tcpCheck(port), timing).timing, downPeriodMs: 50 } }]);
    await eventually(() => engine.status(handle).consecutiveFailed > 5, 'probes on the new period');
  });

  it('a suspended target rests until it is resumed', async () => {
    const engine = openPortable();
    const { port } = await tcpServer();
    const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
    engine.suspend([handle]);
    const { lastAtMs } = engine.status(handle);
    const other = engine.add([target('b', tcpCheck(port))])[0] ?? 0;
    await eventually(() => engine.status(other).consecutiveOk > 3, 'probes of another target');
    expect(engine.status(handle)).toMatchObject({ suspended: true, lastAtMs });
    engine.resume([handle]);
    await eventually(() => engine.status(handle).lastAtMs > lastAtMs, 'a probe after the pause');
  });

  it('a running probe ends as suspended, and counts for nothing', async () => {
    const engine = openPortable();
    const [handle = 0] = engine.add([target('x', { kind: 'external' }, { periodMs: 500, timeoutMs: 400 })]);
    const { epoch } = await new Events(engine).due(handle);
    engine.suspend([handle]);
    expect(engine.status(handle)).toMatchObject({
      lastOutcome: { result: 'inconclusive', reason: 'suspended' },
      consecutiveInconclusive: 0,
    });
    expect(count(engine, 'suspended')).toBe(1);
    expect(engine.report(handle, epoch, { result: 'ok' }, 1), 'of the epoch, but nothing waits').toBe(true);
    expect(engine.status(handle).consecutiveOk).toBe(0);
  });

  it('a new instance begins anew', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const port = await freePort();
    const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
    await events.until(handle, 'failed');
    engine.newInstance([handle]);
    expect(engine.status(handle)).toMatchObject({
      epoch: 2,
      state: 'unknown',
      consecutiveFailed: 0,
      lastAtMs: 0,
    });
    expect(await events.until(handle, 'failed')).toMatchObject({ epoch: 2, from: 'unknown', lastOkMs: 0 });
  });

  it('bounds what is in flight, in all and to one destination', async () => {
    const engine = openPortable({ maxInFlight: 3, maxInFlightPerDestination: 2 });
    const { server, port } = await tcpServer();
    let open = 0;
    let most = 0;
    server.on('connection', (socket) => {
      open += 1;
      most = Math.max(most, open);
      socket.resume().on('close', () => {
        open -= 1;
      });
    });
    const http = { scheme: 'http', port, path: '/', headers: [] } as const;
    const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http } as const;
    const probes = Array.from({ length: 12 }, () => engine.probeOnce(check, { timeoutMs: 100 }));
    const results = await Promise.all(probes);
    expect(new Set(results.map(({ outcome }) => outcome.result))).toEqual(new Set(['failed']));
    expect(most).toBe(2);
  });
});

describe('external targets', () => {
  it('are due, reported, and counted; a stale epoch is refused', async () => {
    const engine = openPortable();
    const events = new Events(engine);
    const [handle = 0] = engine.add([target('x', { kind: 'external' })]);
    for (let round = 0; round < 2; round += 1) {
      const due = await events.due(handle);
      expect(Math.abs(due.deadlineMs - Date.now())).toBeLessThan(20_000);
      expect(engine.report(handle, due.epoch, { result: 'failed', reason: 'exec-nonzero' }, 7)).toBe(true);
    }
    const down = await events.until(handle, 'failed');
    expect(down).toMatchObject({ from: 'unknown', reason: 'exec-nonzero', count: 2, durationMs: 7 });
    engine.newInstance([handle]);
    expect(engine.report(handle, down.epoch, { result: 'ok' }, 1)).toBe(false);
  });

  it('that nobody reports for turn blind: prober-late', async () => {
    const engine = openPortable({ lateMs: 50 });
    const [handle = 0] = engine.add([target('x', { kind: 'external' })]);
    expect(await new Events(engine).until(handle, 'blind')).toMatchObject({
      reason: 'prober-late',
      count: 3,
    });
    engine.update([{ handle, timing: { ...target('x', { kind: 'external' }).timing, periodMs: 60_000 } }]);
  });

  it('cannot be probed by the engine', async () => {
    const engine = openPortable();
    const [handle = 0] = engine.add([target('x', { kind: 'external' }, LONG)]);
    await expect(engine.probeNow(handle, {})).rejects.toMatchObject({ code: 'ERR_VMPULSE_UNSUPPORTED' });
  });
});

describe('extra probes', () => {
  it('never move thresholds', async () => {
    const engine = openPortable();
    const port = await freePort();
    const [handle = 0] = engine.add([target('a', tcpCheck(port), { ...LONG, initialDelayMs: 60_000 })]);
    const { outcome, durationMs } = await engine.probeNow(handle, {});
    expect(outcome).toEqual({ result: 'failed', reason: 'connection-refused' });
    expect(durationMs).toBeGreaterThanOrEqual(0);
    expect(engine.status(handle)).toMatchObject({ state: 'unknown', consecutiveFailed: 0, lastAtMs: 0 });
  });
});

describe('delivery', () => {
  it('transitions wait, coalescing, until someone asks for them', async () => {
    const engine = openPortable();
    const { server, port } = await tcpServer();
    const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
    server.close();
    await eventually(() => engine.status(handle).state === 'failed', 'failed');
    const only = await new Events(engine).next();
    expect(only).toMatchObject({ handle, from: 'unknown', to: 'failed', coalesced: 1 });
    expect(engine.stats().coalesced).toBe(1);
  });

  it('a mass outage while the host program is blocked arrives whole', async () => {
    const engine = openPortable();
    const port = await freePort();
    const handles = new Set(
      engine.add(
        Array.from({ length: 1000 }, (_, index) =>
          target(`t${index}`, tcpCheck(port), { failureThreshold: 1, periodMs: 500, timeoutMs: 400 }),
        ),
      ),
    );
    block(700);
    for await (const batch of engine.transitions()) {
      for (const event of batch) {
        if (event.type === 'transition' && event.to === 'failed') handles.delete(event.handle);
      }
      if (handles.size === 0) break;
    }
    expect(handles.size).toBe(0);
  });
});

describe('snapshots', () => {
  it('states survive a restart by their ids, registered before or after', async () => {
    const first = openPortable();
    const events = new Events(first);
    const atOnce = { failureThreshold: 1 };
    const handles = first.add([
      target('vm/x', { kind: 'external' }, atOnce),
      target('vm/y', { kind: 'external' }, atOnce),
    ]);
    for (const handle of handles) {
      const due = await events.due(handle);
      first.report(handle, due.epoch, { result: 'failed', reason: 'console-silent' }, 1);
      await eventually(() => first.status(handle).state === 'failed', 'failed');
    }
    const snapshot = await first.snapshot();
    await first.close();

    const second = openPortable();
    const told = new Events(second);
    const far = { ...atOnce, initialDelayMs: 60_000 };
    const [before = 0] = second.add([target('vm/x', { kind: 'external' }, far)]);
    second.restore(snapshot);
    expect(await told.until(before, 'failed')).toMatchObject({ from: 'unknown', reason: 'console-silent' });
    const again = openPortable();
    again.restore(await second.snapshot());
    const [after = 0] = again.add([target('vm/y', { kind: 'external' }, far)]);
    expect(again.status(after), 'what waits survives a second restart').toMatchObject({
      state: 'failed',
      reason: 'console-silent',
      consecutiveFailed: 1,
    });
    snapshot[70] = (snapshot[70] ?? 0) ^ 1;
    expect(() => second.restore(snapshot)).toThrow(expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT' }));
  });
});

describe('counters', () => {
  it('tell outcomes, durations and lateness', async () => {
    const engine = openPortable();
    const { port } = await tcpServer();
    for (const to of [port, port, await freePort()])
      await engine.probeOnce(tcpCheck(to), { timeoutMs: 5000 });
    const stats = engine.stats();
    expect(stats).toMatchObject({ backend: 'portable', reactor: 'node', probesStarted: 3, inFlight: 0 });
    expect(stats.outcomes).toEqual([
      { kind: 'tcpSocket', reason: 'ok', count: 2 },
      { kind: 'tcpSocket', reason: 'connection-refused', count: 1 },
    ]);
    const [durations] = stats.durations;
    expect(durations?.counts).toHaveLength((durations?.bounds.length ?? 0) + 1);
    expect(durations?.counts.at(-1)).toBe(3);
    expect(durations?.counts).toEqual([...(durations?.counts ?? [])].sort((a, b) => a - b));
    expect(durations?.sumSeconds).toBeGreaterThan(0);
    for (const { reason } of stats.outcomes) expect(reason === 'ok' || reason in REASON_CLASS).toBe(true);
    const { latenessMs } = engine.stats();
    expect(latenessMs, 'begins anew with each reading').toEqual({ p50: 0, p99: 0, max: 0 });
  });
});
