import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';

const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.useRealTimers();
});

function alarm(inMs: number) {
  vi.useFakeTimers({ now: 0 });
  const fn = vi.fn();
  return { fn, cancel: systemClock.at(inMs, fn) };
}

it('runs something at its time', () => {
  const { fn } = alarm(3 * HOUR_MS);
  vi.advanceTimersByTime(3 * HOUR_MS - 1);
  expect(fn).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(fn).toHaveBeenCalledTimes(1);
});

it('runs within a minute what the clock is set past', () => {
  const { fn } = alarm(3 * HOUR_MS);
  vi.advanceTimersByTime(HOUR_MS);
  vi.setSystemTime(4 * HOUR_MS);
  vi.advanceTimersByTime(60_000);
  expect(fn).toHaveBeenCalledTimes(1);
});

it('waits on for a time of day when the clock is set back, not for what is seconds away', () => {
  const day = alarm(3 * HOUR_MS);
  vi.setSystemTime(-HOUR_MS);
  vi.advanceTimersByTime(3 * HOUR_MS);
  expect(day.fn).not.toHaveBeenCalled();
  vi.advanceTimersByTime(HOUR_MS);
  expect(day.fn).toHaveBeenCalledTimes(1);

  const soon = alarm(5_000);
  vi.setSystemTime(-HOUR_MS);
  vi.advanceTimersByTime(5_000);
  expect(soon.fn).toHaveBeenCalledTimes(1);
});

it('runs nothing that was cancelled', () => {
  const { fn, cancel } = alarm(3 * HOUR_MS);
  vi.advanceTimersByTime(2 * HOUR_MS);
  cancel();
  vi.advanceTimersByTime(2 * HOUR_MS);
  expect(fn).not.toHaveBeenCalled();
});
