import { expect, it } from 'vitest';
import { monoMs } from '../../../src/engine/portable/clock.js';
import { Timers } from '../../../src/engine/portable/timers.js';
import { eventually } from '../../native/engine/support.js';

it('fires in order, whatever the order of arming', async () => {
  const timers = new Timers(1);
  const fired: number[] = [];
  const nowMs = monoMs();
  for (let index = 0; index < 500; index += 1) {
    const delayMs = (index * 7919) % 101;
    timers.arm(nowMs + delayMs, () => fired.push(delayMs));
  }
  await eventually(() => fired.length === 500, 'all timers');
  expect(fired).toEqual([...fired].sort((a, b) => a - b));
  expect(timers.size).toBe(0);
});

it('never fires early', async () => {
  const timers = new Timers(2);
  const atMs = monoMs() + 37;
  let firedMs = 0;
  timers.arm(atMs, () => {
    firedMs = monoMs();
  });
  await eventually(() => firedMs > 0, 'the timer');
  expect(firedMs).toBeGreaterThanOrEqual(atMs);
});

it('does not fire what was cancelled, from outside or by one that fires in the same turn', async () => {
  const timers = new Timers(10);
  const fired: string[] = [];
  const atMs = monoMs() + 20;
  const outside = timers.arm(atMs, () => fired.push('outside'));
  const first = timers.arm(atMs, () => {
    fired.push('first');
    timers.cancel(second);
  });
  const second = timers.arm(atMs, () => {
    fired.push('second');
    timers.cancel(first);
  });
  timers.arm(atMs + 10, () => fired.push('last'));
  timers.cancel(outside);
  timers.cancel(outside);
  await eventually(() => fired.includes('last'), 'the last timer');
  expect(fired).toHaveLength(2);
  expect(['first', 'second']).toContain(fired[0]);
});

it('keeps the rest of the heap in order when timers are taken out of its middle', async () => {
  const timers = new Timers(1);
  const fired: number[] = [];
  const nowMs = monoMs();
  const armed = Array.from({ length: 300 }, (_, index) => {
    const delayMs = (index * 31) % 97;
    return timers.arm(nowMs + delayMs, () => fired.push(delayMs));
  });
  for (let index = 0; index < armed.length; index += 3) {
    const timer = armed[index];
    if (timer !== undefined) timers.cancel(timer);
  }
  expect(timers.size).toBe(200);
  await eventually(() => fired.length === 200, 'what is left');
  expect(fired).toEqual([...fired].sort((a, b) => a - b));
});

it('a timer that arms another for now does not keep its turn from ending', async () => {
  const timers = new Timers(1);
  let rounds = 0;
  const again = (): void => {
    rounds += 1;
    timers.arm(monoMs() - 1000, again);
  };
  timers.arm(0, again);
  await eventually(() => rounds > 3, 'some rounds, with turns of the loop between them');
  timers.clear();
  const after = rounds;
  await new Promise((resolve) => setImmediate(resolve));
  expect([rounds, timers.size]).toEqual([after, 0]);
});
