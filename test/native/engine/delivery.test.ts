import { once } from 'node:events';
import { expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/probe-engine.js';
import { freePort } from '../../fixtures/ports.js';
import { Events, eventually, openEngine, target, tcpCheck, tcpServer, within } from './support.js';

/** Blocks this thread, as a busy host program does. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('transitions of a target come in order, each from where the last one led', async () => {
  const engine = openEngine();
  const events = new Events(engine);
  const { server, port } = await tcpServer();
  const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
  const up = await events.until(handle, 'ok');
  expect(up.from).toBe('unknown');
  server.close();
  const down = await events.until(handle, 'failed');
  expect(down).toMatchObject({ from: 'ok', reason: 'connection-refused', count: 2 });
  expect(down.streakStartMs).toBeGreaterThanOrEqual(down.lastOkMs);
  await tcpServer(port);
  expect((await events.until(handle, 'ok')).from).toBe('failed');
});

it('a blocked host program loses no final state; the rest is counted', async () => {
  const engine = openEngine();
  const [handle = 0] = engine.add([
    target('x', { kind: 'external' }, { failureThreshold: 1, periodMs: 100, timeoutMs: 90 }),
  ]);
  // Nobody consumes transitions: they coalesce in the engine while reports go on.
  let last: 'ok' | 'failed' = 'ok';
  const batches = engine.transitions();
  let coalesced = 0;
  const seen: EngineEvent[] = [];
  for (let round = 0; round < 3; round += 1) {
    const { value = [] } = await within(batches.next(), 'a batch');
    for (const event of value as readonly EngineEvent[]) {
      seen.push(event);
      if (event.type === 'transition') coalesced += event.coalesced;
      if (event.type !== 'due') continue;
      last = last === 'ok' ? 'failed' : 'ok';
      const outcome =
        last === 'ok' ? ({ result: 'ok' } as const) : ({ result: 'failed', reason: 'cpu' } as const);
      engine.report(handle, event.epoch, outcome, 1);
    }
    block(120);
  }
  await eventually(() => engine.status(handle).state !== 'unknown', 'a state');
  expect(seen.length).toBeGreaterThan(0);
  expect(coalesced).toBe(engine.stats().coalesced);
});

it('a mass outage while the host program is blocked arrives whole, in batches', async () => {
  const engine = openEngine();
  const port = await freePort();
  const targets = Array.from({ length: 3000 }, (_, index) =>
    target(`t${index}`, tcpCheck(port), { failureThreshold: 1, periodMs: 500, timeoutMs: 400 }),
  );
  const handles = new Set(engine.add(targets));
  block(1500);
  for await (const batch of engine.transitions()) {
    expect(batch.length).toBeLessThanOrEqual(1024);
    for (const event of batch) {
      if (event.type === 'transition' && event.to === 'failed') handles.delete(event.handle);
    }
    if (handles.size === 0) break;
  }
  expect(handles.size).toBe(0);
});

it('transitions wait, coalescing, until someone asks for them', async () => {
  const engine = openEngine();
  const { server, port } = await tcpServer();
  const [handle = 0] = engine.add([target('a', tcpCheck(port))]);
  await eventually(() => engine.status(handle).state === 'ok', 'ok');
  server.close();
  await once(server, 'close');
  await eventually(() => engine.status(handle).state === 'failed', 'failed');
  const only = await new Events(engine).next();
  expect(only).toMatchObject({ handle, from: 'unknown', to: 'failed' });
  expect(only.type === 'transition' && only.coalesced).toBeGreaterThanOrEqual(1);
});

it('there is one consumer at a time', async () => {
  const engine = openEngine();
  const first = engine.transitions();
  expect(() => engine.transitions()).toThrow(expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT' }));
  const waiting = first.next();
  await expect(first.next()).rejects.toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  await first.return?.();
  expect(await waiting).toMatchObject({ done: true });
  engine.transitions();
});

it('events of removed targets and of instances that are over are left out', async () => {
  const engine = openEngine();
  const port = await freePort();
  const fast = { failureThreshold: 1 };
  const [removed = 0, renewed = 0, kept = 0] = engine.add([
    target('a', tcpCheck(port), fast),
    target('b', tcpCheck(port), { ...fast, periodMs: 86_400_000 }),
    target('c', tcpCheck(port), fast),
  ]);
  await eventually(() => engine.status(removed).state === 'failed', 'failed');
  await eventually(() => engine.status(kept).state === 'failed', 'failed');
  engine.remove([removed]);
  engine.newInstance([renewed]);
  expect(await new Events(engine).next()).toMatchObject({ handle: kept, to: 'failed' });
});
