import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runAt } from '../../../src/model/clock.js';
import { Alarm } from '../../../src/sim/replay/alarm.js';

const START_MS = 1_000_000;

interface Set {
  /** After the one before, true time. */
  readonly afterMs: number;
  readonly byMs: number;
}

/** True time at which `runAt` rings, on timers that no set clock moves. */
function rungByTimer(delayMs: number, sets: readonly Set[]): number {
  let trueMs = 0;
  let offsetMs = START_MS;
  let rungMs: number | undefined;
  let timer: { readonly atMs: number; readonly look: () => void } | undefined;
  const after = (ms: number, look: () => void) => {
    timer = { atMs: trueMs + ms, look };
    return () => {};
  };
  const pass = (untilMs: number) => {
    while (timer !== undefined && timer.atMs < untilMs) {
      const { atMs, look } = timer;
      timer = undefined;
      trueMs = atMs;
      look();
    }
    trueMs = untilMs;
  };
  const rings = () => {
    rungMs = trueMs;
  };
  runAt(START_MS + delayMs, rings, () => trueMs + offsetMs, after);
  for (const { afterMs, byMs } of sets) {
    pass(trueMs + afterMs);
    offsetMs += byMs;
  }
  pass(trueMs + 1e8);
  return rungMs ?? Number.NaN;
}

/** The same, as a replay counts it: times of the wall clock, which the journal says was set. */
function rungByAlarm(delayMs: number, sets: readonly Set[]): number {
  const alarm = new Alarm();
  let nowMs = START_MS;
  let offsetMs = START_MS;
  alarm.set(START_MS + delayMs, nowMs);
  const rungBefore = (untilMs: number): number | undefined => {
    for (let next = alarm.nextMs; next !== null && next < untilMs; next = alarm.nextMs)
      if (alarm.rings(next)) return next - offsetMs;
    return undefined;
  };
  for (const { afterMs, byMs } of sets) {
    const rungMs = rungBefore(nowMs + afterMs);
    if (rungMs !== undefined) return rungMs;
    nowMs += afterMs + byMs;
    offsetMs += byMs;
    alarm.shift(byMs);
  }
  return rungBefore(Number.POSITIVE_INFINITY) ?? Number.NaN;
}

it('the alarm of a replay rings when the timer of a daemon rings, however often the clock is set', () => {
  const set = fc.record({
    afterMs: fc.integer({ min: 1, max: 300_000 }),
    byMs: fc.integer({ min: -3_600_000, max: 3_600_000 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600_000 }), fc.array(set, { maxLength: 5 }), (delayMs, sets) => {
      expect(rungByAlarm(delayMs, sets)).toBe(rungByTimer(delayMs, sets));
    }),
  );
});
