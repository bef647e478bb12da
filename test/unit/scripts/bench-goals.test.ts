import { expect, test } from 'vitest';
import { judge } from '../../../bench/goals.mjs';
import { cpuRow, goalTable } from '../../../bench/report.mjs';
import { jsonResults } from '../../../bench/results.mjs';
import { SIZES } from '../../../bench/sizes.mjs';

const round = (us: number, isMeasured = true, byProcess = true) => ({
  rate: 25_000,
  foreignShare: 0,
  core: { us, isMeasured },
  tree: { us: us + 1, isMeasured: byProcess },
});
const row = (peer: string, rounds: ReturnType<typeof round>[]) =>
  cpuRow({ peer, kind: 'tcp', targets: 10_000, rate: 25_000, what: undefined }, rounds);
const runOf = (...cpuRows: ReturnType<typeof row>[]) => ({ cpuRows, figures: [], basis: 'core' });
const goal = 'tcp / HAProxy';

test('a ratio of what is above the noise is met or missed', () => {
  const haproxy = row('HAProxy', [round(30)]);
  const met = judge(runOf(row('vmpulse', [round(15), round(12)]), haproxy), SIZES.full)[goal];
  expect(met).toEqual({ value: 0.45, basis: 'core', target: '≤ 0.9', met: true });
  const missed = judge(runOf(row('vmpulse', [round(60)]), haproxy), SIZES.full)[goal];
  expect(missed).toMatchObject({ value: 2, met: false });
});

test('what is not above the noise is not measured, however well it looks', () => {
  const run = runOf(row('vmpulse', [round(15), round(-3, false, false)]), row('HAProxy', [round(30)]));
  expect(judge(run, SIZES.full)[goal]).toMatchObject({
    value: null,
    met: null,
    why: expect.stringContaining('noise'),
  });
  expect(jsonResults(run)[0]).toMatchObject({
    peer: 'vmpulse',
    cpuUsPerProbe: null,
    probesPerSecond: 25_000,
  });
});

test('where only the core hides it, the ratio is of the process figures, and says so', () => {
  const run = runOf(row('vmpulse', [round(14, false)]), row('HAProxy', [round(29)]));
  const ratios = judge(run, SIZES.full);
  expect(ratios[goal]).toEqual({ value: 0.5, basis: 'tree', target: '≤ 0.9', met: true });
  expect(goalTable(ratios, 'core')).toMatch(/tcp \/ HAProxy .*met, by process/);
  expect(goalTable(ratios, 'tree')).not.toContain('by process');
});

test('what was measured with other sizes than the goal has is not judged', () => {
  const run = runOf(row('vmpulse', [round(15)]), row('HAProxy', [round(30)]));
  const judged = judge(run, SIZES.quick);
  expect(judged[goal]).toMatchObject({ value: 0.5, met: null, why: expect.stringContaining('not judged') });
  expect(Object.values(judged).filter(({ met }) => met !== null)).toEqual([]);
});
