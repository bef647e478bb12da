import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { FAULTS } from '../../../src/sim/faults/registry.js';
import { type SeedExtras, type SeedReport, simulateSeed } from '../../../src/sim/simulate.js';

function simulate(
  seed: number,
  extras: SeedExtras = {},
  more: { readonly days?: number } = {},
): Promise<SeedReport> {
  return simulateSeed(
    {
      seed,
      vms: 40,
      hosts: 2,
      days: more.days ?? 10,
      recoveries: [DEFAULT_RECOVERY],
      policy: DEFAULT_POLICY_CONFIG,
    },
    extras,
  );
}

async function journalOf(seed: number): Promise<string> {
  const lines: string[] = [];
  await simulate(seed, { onEntry: (host, entry) => lines.push(`${host} ${JSON.stringify(entry)}`) });
  return lines.join('\n');
}

describe('a simulated seed', { timeout: 120_000 }, () => {
  it.each([
    1, 2, 3, 4,
  ])('%i: nothing is missed, nothing is done without need, no invariant breaks', async (seed) => {
    const report = await simulate(seed, {}, { days: 30 });
    expect(report.findings).toEqual([]);
    expect(Object.keys(report.kinds)).toEqual(FAULTS.map(({ name }) => name).toSorted());
    expect(report.faults / report.vmYears).toBeGreaterThanOrEqual(10);
    expect(report.acts).toBeGreaterThan(0);
  });

  it('is the same again, byte for byte', async () => {
    const journal = await journalOf(5);
    expect(journal.length).toBeGreaterThan(10_000);
    expect(await journalOf(5)).toBe(journal);
    expect(await journalOf(6)).not.toBe(journal);
  });
});
