import { describe, expect, it } from 'vitest';
import type { RecoverySpec } from '../../../src/model/vm.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import type { PolicyConfig } from '../../../src/policy/types.js';
import { Replay, type ReplayReport } from '../../../src/sim/replay/replay.js';
import { simulateSeed } from '../../../src/sim/simulate.js';

const policy = DEFAULT_POLICY_CONFIG;

/** What the daemon of a simulated host journalled, as `vmpulse journal export` gives it. */
async function exported(
  seed: number,
  faults?: readonly string[],
  limits: PolicyConfig = policy,
): Promise<string[]> {
  const lines: string[] = [];
  const more = faults === undefined ? {} : { faults };
  await simulateSeed(
    { seed, vms: 20, hosts: 1, days: 10, recoveries: [DEFAULT_RECOVERY], policy: limits, ...more },
    { onEntry: (_host, entry) => lines.push(JSON.stringify(entry)) },
  );
  return lines;
}

function replay(lines: readonly string[], recovery?: RecoverySpec): ReplayReport {
  const run = new Replay(recovery === undefined ? {} : { recoveryOf: () => recovery });
  for (const line of lines) run.take(line);
  return run.report();
}

/** Steps that the daemon began on a VM, with their times. */
function begun(lines: readonly string[], vm: string): { readonly atMs: number; readonly step: string }[] {
  return lines
    .map((line) => JSON.parse(line))
    .filter((entry) => entry.type === 'decision' && entry.vm === vm && entry.data.kind === 'act')
    .map(({ atMs, data }) => ({ atMs, step: data.step }));
}

describe('the replay of a journal', { timeout: 120_000 }, () => {
  it.each([1, 3, 4])('decides as the daemon did, whatever happens (seed %i)', async (seed) => {
    const lines = await exported(seed);
    const report = replay(lines);
    expect(report).toMatchObject({ diverged: [], skipped: 0, vms: 20, entries: lines.length });
    const acts = lines.filter((line) => line.includes('"kind":"act"')).length;
    expect(report.sameActions).toBe(acts);
    expect(acts).toBeGreaterThan(20);
  });

  it('has the limits that the daemon had', async () => {
    const lines = await exported(7, ['host-reboot'], {
      ...policy,
      maxConcurrentRecoveries: 1,
      maxBootsPerMinute: 2,
    });
    expect(replay(lines).diverged).toEqual([]);
    const others = new Replay({ policy });
    for (const line of lines) others.take(line);
    expect(others.report().diverged.length).toBeGreaterThan(0);
  });

  it('begins anew with what a killed daemon had stored, also where its last second is missing', async () => {
    const lines = await exported(11, ['daemon-crash-acting', 'daemon-crash', 'vmm-crash', 'panic']);
    const report = replay(lines);
    expect(report.daemonStarts).toBeGreaterThan(2);
    expect(report.diverged).toEqual([]);
  });

  it('does not let a daemon live on until the next one tells of the action that it died in', async () => {
    const lines = await exported(52);
    const died = lines.filter((line) => line.includes('"result":"unresolved"')).length;
    expect(died).toBeGreaterThan(0);
    expect(replay(lines).diverged).toEqual([]);
  });

  it('does first what a daemon does first where two timers are over at once, and hears of a clock that is set', async () => {
    const lines = await exported(53);
    expect(lines.filter((line) => line.includes('"clock-set"')).length).toBe(1);
    expect(replay(lines).diverged).toEqual([]);
  });

  it('takes no notice of an answer that its daemon took none of', async () => {
    // A look at a VM that was just adopted is still under way when one of its probes fails.
    const report = replay(await exported(13));
    expect(report.diverged).toEqual([]);
  });

  it('tells the first action in which another policy differs, and no VM twice', async () => {
    const lines = await exported(6, ['memory-leak', 'crash-loop']);
    expect(replay(lines).diverged).toEqual([]);
    // One recovery in a row: the second is not done any more.
    const { diverged } = replay(lines, { ...DEFAULT_RECOVERY, maxConsecutive: 1 });
    expect(diverged.length).toBeGreaterThan(0);
    expect(new Set(diverged.map(({ vm }) => vm)).size).toBe(diverged.length);
    for (const { vm, atMs, recorded, replayed } of diverged) {
      expect(replayed).toBeNull();
      const steps = begun(lines, vm);
      const at = steps.findIndex((one) => one.atMs === atMs);
      expect(steps[at]?.step).toBe(recorded);
      expect(at).toBeGreaterThan(0);
    }
  });

  it('leaves out what is before the first start of a daemon', async () => {
    const lines = await exported(2, ['panic']);
    const starts = lines.flatMap((line, i) => (JSON.parse(line).type === 'daemon' ? [i] : []));
    expect(starts).toEqual([0]);
    const report = replay(lines.slice(1));
    expect(report).toMatchObject({ skipped: lines.length - 1, daemonStarts: 0, vms: 0, fromMs: null });
  });

  it.each([
    ['no JSON', '{'],
    ['no entry', '{"a":1}'],
    [
      'an event that is none',
      '{"atMs":1,"vm":null,"type":"input","actionId":null,"data":{"event":{"type":"x"}}}',
    ],
    [
      'a VM without a recovery',
      '{"atMs":1,"vm":"a","type":"input","actionId":null,"data":{"event":{"type":"vm-configured","vm":{"id":"a","runStrategy":"Always","recovery":{},"probes":[],"steps":[]}}}}',
    ],
  ])('refuses a line with %s', (_what, line) => {
    expect(() => replay([line])).toThrow(/line 1 is no entry/);
  });
});
