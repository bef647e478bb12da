import { expect, it } from 'vitest';
import type { Target } from '../../../src/engine/probe-engine.js';
import { Events, eventually, openEngine, target, tcpCheck, tcpServer } from './support.js';

const COUNT = 100_000;
const HOUR_MS = 3_600_000;

it('100,000 targets are registered, changed, paused and removed in one call each', async () => {
  const { port } = await tcpServer();
  const engine = openEngine({ threads: 2 });
  const events = new Events(engine);
  const slow: Partial<Target['timing']> = { initialDelayMs: HOUR_MS, periodMs: HOUR_MS, timeoutMs: 1000 };
  const handles = engine.add(
    Array.from({ length: COUNT }, (_, n) => target(`vm-${n}/liveness`, tcpCheck(port), slow)),
  );
  expect(new Set(handles).size).toBe(COUNT);
  expect(engine.stats()).toMatchObject({ targets: COUNT, probesStarted: 0 });

  // A new period and new thresholds count at once, for those of the set and no other.
  const [first = 0, second = 0, last = 0] = [handles[0], handles[1], handles[COUNT - 1]];
  const { timing } = target('', tcpCheck(port), { successThreshold: 3 });
  engine.update([first, last].map((handle) => ({ handle, timing })));
  await events.until(first, 'ok');
  await eventually(() => engine.status(last).state === 'ok', 'the last one');
  expect(engine.status(first).consecutiveOk).toBeGreaterThanOrEqual(3);
  expect(engine.status(second)).toMatchObject({ state: 'unknown', lastAtMs: 0 });

  engine.suspend(handles);
  expect(engine.status(second).suspended).toBe(true);
  expect(engine.status(last).suspended).toBe(true);
  await eventually(() => engine.stats().inFlight === 0, 'the probes to end');
  const { probesStarted } = engine.stats();
  engine.update(Array.from(handles, (handle) => ({ handle, timing })));
  expect(engine.status(first)).toMatchObject({ state: 'ok', suspended: true });
  expect(engine.stats().probesStarted).toBe(probesStarted);
  engine.suspend(handles.subarray(2));
  engine.resume(handles.subarray(0, 2));
  await events.until(second, 'ok');
  expect(engine.status(last).suspended).toBe(true);

  engine.remove(handles);
  expect(engine.stats().targets).toBe(0);
  expect(() => engine.status(first)).toThrow('no target has the handle');
  expect(engine.add([target('again', tcpCheck(port))])).toHaveLength(1);
});
