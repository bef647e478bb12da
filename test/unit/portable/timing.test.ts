import { describe, expect, it } from 'vitest';
import { checkTiming, idHash, Phase } from '../../../src/engine/portable/timing.js';
import type { ProbeTiming } from '../../../src/model/probe.js';
import { errorOf } from './support.js';

const TIMING: ProbeTiming = {
  initialDelayMs: 0,
  periodMs: 1000,
  timeoutMs: 100,
  successThreshold: 1,
  failureThreshold: 3,
  retryPeriodMs: 200,
};

describe('phases', () => {
  const phase = new Phase(idHash('default/web-1/readiness'));

  it('a steady target starts once a period in its phase, after a restart too', () => {
    let start = phase.firstStart(TIMING, 5000.123);
    expect(start).toBeGreaterThanOrEqual(5000.123);
    expect(start).toBeLessThan(6000.123);
    for (let round = 0; round < 5; round += 1) {
      const next = phase.nextStart(TIMING, 1000, start, start + 40);
      expect(next).toBeCloseTo(start + 1000, 6);
      start = next;
    }
    const restarted = new Phase(idHash('default/web-1/readiness')).firstStart(TIMING, start + 1);
    expect(restarted).toBeCloseTo(start + 1000, 6);
  });

  it('the initial delay counts before the phase', () => {
    const start = phase.firstStart({ ...TIMING, initialDelayMs: 30_000 }, 100);
    expect(start).toBeGreaterThanOrEqual(30_100);
    expect(start).toBeLessThan(31_100);
  });

  it('the phase returns after a retry, and missed starts are left out', () => {
    const start = phase.firstStart(TIMING, 0);
    const retry = phase.nextStart(TIMING, 200, start, start + 1);
    expect(retry).toBeCloseTo(start + 200, 6);
    expect(phase.nextStart(TIMING, 1000, retry, retry + 1)).toBeCloseTo(start + 1000, 6);
    expect(phase.nextStart(TIMING, 1000, start, start + 3300)).toBeCloseTo(start + 4000, 6);
    expect(phase.nextStart(TIMING, 200, start, start + 900)).toBe(start + 900);
  });

  it('a period that begins to apply counts from now, the normal one in its phase', () => {
    expect(phase.startFrom(TIMING, 200, 5000)).toBe(5200);
    const start = phase.firstStart(TIMING, 5000);
    expect(phase.startFrom(TIMING, 1000, 5000)).toBe(start);
  });

  it('phases are even over the period', () => {
    const buckets = new Array<number>(10).fill(0);
    for (let target = 0; target < 10_000; target += 1) {
      const start = new Phase(idHash(`default/vm-${target}/liveness`)).firstStart(TIMING, 0);
      const bucket = Math.floor(start / 100);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) {
      expect(count).toBeGreaterThan(850);
      expect(count).toBeLessThan(1150);
    }
  });
});

describe('checks', () => {
  it.each([
    [{ periodMs: 49 }, 'periodMs 49 is not between 50 and 2592000000 (30 days)'],
    [{ periodMs: Number.NaN }, 'periodMs NaN is not between 50 and 2592000000 (30 days)'],
    [{ timeoutMs: 1000 }, 'timeoutMs 1000 must be less than periodMs 1000'],
    [{ timeoutMs: 0 }, 'timeoutMs 0 is not between 1 and 2592000000 (30 days)'],
    [{ initialDelayMs: -1 }, 'initialDelayMs -1 is not between 0 and 2592000000 (30 days)'],
    [{ failureThreshold: 0 }, 'failureThreshold 0 is not between 1 and 1000000'],
    [{ successThreshold: 1.5 }, 'successThreshold 1.5 is not between 1 and 1000000'],
    [{ retryPeriodMs: 1 }, 'retryPeriodMs 1 is not between 50 and 2592000000 (30 days)'],
    [
      { downPeriodMs: Number.POSITIVE_INFINITY },
      'downPeriodMs Infinity is not between 50 and 2592000000 (30 days)',
    ],
  ])('%j is refused by its name', (wrong, message) => {
    const error = errorOf(() => checkTiming({ ...TIMING, ...wrong }));
    expect([error.code, error.message]).toEqual(['ERR_VMPULSE_ARGUMENT', message]);
  });

  it('other periods default to the normal one', () => {
    const { retryPeriodMs: _, ...without } = TIMING;
    expect(checkTiming(without)).toMatchObject({ retryPeriodMs: 1000, downPeriodMs: 1000 });
  });
});
