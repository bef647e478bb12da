import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idHash } from '../../../src/engine/portable/timing.js';
import type { Target } from '../../../src/engine/probe-engine.js';
import type { Change } from '../../../src/engine/thresholds.js';
import { DEFAULT_TIMING, type ProbeTiming } from '../../../src/model/probe.js';
import { type Seen, SimTarget } from '../../../src/sim/sim-target.js';
import { Timeline } from '../../../src/sim/timeline.js';

const OK: Seen = { outcome: { result: 'ok' }, durationMs: 2, varies: false };
const REFUSED: Seen = {
  outcome: { result: 'failed', reason: 'connection-refused' },
  durationMs: 1,
  varies: false,
};
const SILENT: Seen = {
  outcome: { result: 'failed', reason: 'connect-timeout' },
  durationMs: 900,
  varies: false,
};
const LATE: Seen = {
  outcome: { result: 'inconclusive', reason: 'prober-late' },
  durationMs: 2,
  varies: false,
};

interface Change2 {
  readonly afterMs: number;
  readonly what: 'see' | 'new-instance' | 'suspend' | 'resume';
  readonly seen: Seen;
}

/** What one target tells while the world changes as given; `maySleep` false: probe by probe. */
async function tell(
  timing: ProbeTiming,
  changes: readonly Change2[],
  maySleep: boolean,
): Promise<{
  changes: (Change & { epoch: number })[];
  events: number;
}> {
  const timeline = new Timeline(1_000_000_000);
  let seen = OK;
  const told: (Change & { epoch: number })[] = [];
  const target: Target = {
    id: 'sim/vm/readiness',
    check: { kind: 'external' },
    timing,
    startState: 'failed',
  };
  const sut = new SimTarget(1, idHash(target.id), target, () => seen, {
    timeline,
    wallMs: () => timeline.nowMs,
    blindAfter: 3,
    maySleep,
    emit: (from, change) => told.push({ ...change, epoch: from.epoch }),
    ended: () => {},
  });
  for (const change of changes) {
    // Between two whole milliseconds, so that no probe starts at the very moment of a change.
    timeline.after(change.afterMs + 0.5, () => {
      if (change.what === 'new-instance') sut.newInstance();
      else if (change.what === 'suspend') sut.suspend();
      else if (change.what === 'resume') sut.resume();
      else {
        seen = change.seen;
        sut.touch();
      }
    });
  }
  await timeline.run(timeline.nowMs + 4_000_000);
  return { changes: told, events: timeline.handled };
}

const timing = fc.record({
  periodMs: fc.constantFrom(1_000, 5_000, 10_000),
  successThreshold: fc.integer({ min: 1, max: 3 }),
  failureThreshold: fc.integer({ min: 1, max: 4 }),
  retryPeriodMs: fc.constantFrom(undefined, 1_000, 2_000),
  downPeriodMs: fc.constantFrom(undefined, 3_000, 30_000),
});

const change = fc.record({
  afterMs: fc.integer({ min: 0, max: 3_000_000 }),
  what: fc.constantFrom<Change2['what']>('see', 'see', 'see', 'see', 'new-instance', 'suspend', 'resume'),
  seen: fc.constantFrom(OK, REFUSED, SILENT, LATE),
});

describe('a simulated target', () => {
  it('tells the same transitions asleep as probe by probe', async () => {
    await fc.assert(
      fc.asyncProperty(timing, fc.array(change, { maxLength: 12 }), async (some, changes) => {
        const { retryPeriodMs, downPeriodMs, ...rest } = some;
        const all: ProbeTiming = {
          ...DEFAULT_TIMING,
          ...rest,
          timeoutMs: 950,
          ...(retryPeriodMs === undefined ? {} : { retryPeriodMs }),
          ...(downPeriodMs === undefined ? {} : { downPeriodMs }),
        };
        const [asleep, oneByOne] = [await tell(all, changes, true), await tell(all, changes, false)];
        expect(asleep.changes).toEqual(oneByOne.changes);
      }),
      { numRuns: 150 },
    );
  });

  it('runs a handful of probes where an engine runs hundreds', async () => {
    const asleep = await tell(DEFAULT_TIMING, [], true);
    const oneByOne = await tell(DEFAULT_TIMING, [], false);
    expect(asleep.changes).toEqual(oneByOne.changes);
    expect(asleep.events).toBeLessThan(10);
    expect(oneByOne.events).toBeGreaterThan(700);
  });
});
