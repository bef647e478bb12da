import { describe, expect, it } from 'vitest';
import { tellSeeds } from '../../../src/cli/commands/simulate-verbose.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { FAULTS } from '../../../src/sim/faults/registry.js';
import { sizeOf } from '../../../src/sim/fleet-size.js';
import { type SeedExtras, type SeedReport, simulateSeed } from '../../../src/sim/simulate.js';

function simulate(
  seed: number,
  extras: SeedExtras = {},
  more: { readonly vms?: number; readonly hosts?: number; readonly days?: number } = {},
): Promise<SeedReport> {
  return simulateSeed(
    {
      seed,
      vms: 40,
      hosts: 2,
      days: 10,
      ...more,
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

  // Some twenty faults a VM and day: these once had findings, of the policy, the daemon or the judge.
  it.each([
    { vms: 1, hosts: 1, days: 1, seeds: [17, 23, 39] },
    // Hosts without a VM among them.
    { vms: 2, hosts: 4, days: 2, seeds: [1, 2] },
    { vms: 2, hosts: 1, days: 1, seeds: [32, 40, 71, 77, 78, 92, 115, 158] },
    { vms: 4, hosts: 2, days: 1, seeds: [14, 37] },
    { vms: 5, hosts: 1, days: 2, seeds: [9, 21, 24, 26, 36, 46] },
  ])('of $vms VMs has no findings either', async ({ seeds, ...fleet }) => {
    for (const seed of seeds) {
      const { findings, faults } = await simulate(seed, {}, fleet);
      expect({ seed, findings }).toEqual({ seed, findings: [] });
      expect(faults).toBeGreaterThan(20);
    }
  });

  it('is the same again, byte for byte', async () => {
    const journal = await journalOf(5);
    expect(journal.length).toBeGreaterThan(10_000);
    expect(await journalOf(5)).toBe(journal);
    expect(await journalOf(6)).not.toBe(journal);
  });
});

describe('the size of a seed', () => {
  const range = { vms: [1, 100], hosts: [1, 6], days: [1, 30] } as const;
  const seeds = Array.from({ length: 500 }, (_, i) => i + 1);

  it('is drawn from its ranges, small fleets as often as large ones, and never with hosts that have no VM', () => {
    const sizes = seeds.map((seed) => sizeOf(seed, range));
    for (const key of ['vms', 'hosts', 'days'] as const) {
      const drawn = sizes.map((size) => size[key]);
      expect([Math.min(...drawn), Math.max(...drawn)]).toEqual(range[key]);
    }
    const small = sizes.filter(({ vms }) => vms <= 10).length;
    expect(small).toBeGreaterThan(200);
    expect(small).toBeLessThan(300);
    for (const { vms, hosts } of sizes) expect(hosts).toBeLessThanOrEqual(vms);
  });

  it('is what it was when it is asked for by its figures', () => {
    for (const seed of seeds) {
      const { vms, hosts, days } = sizeOf(seed, range);
      const alone = { vms: [vms, vms], hosts: [hosts, hosts], days: [days, days] } as const;
      expect(sizeOf(seed, alone)).toEqual({ vms, hosts, days });
    }
    expect(sizeOf(1, { vms: [1, 1], hosts: [4, 4], days: [3, 3] })).toEqual({ vms: 1, hosts: 4, days: 3 });
  });
});

describe('the story of a seed', () => {
  it('is told of a host that something was found about, with what happened to its VMs', async () => {
    const told: string[] = [];
    const tally = await tellSeeds(
      { write: (text) => told.push(text) },
      {
        fromSeed: 1,
        toSeed: 1,
        fleet: { vms: [40, 40], hosts: [2, 2], days: [3, 3] },
        faults: ['bridge-down'],
        recoveries: [DEFAULT_RECOVERY],
        policy: { ...DEFAULT_POLICY_CONFIG, brakeMinVms: 1e6, sharedCauseMinVms: 1e6 },
      },
    );
    const found = tally.failed.flatMap(({ findings }) => findings).find(({ vm }) => vm === null);
    expect(found?.text).toMatch(/bridge-down: nobody was told/);
    const story = told
      .join('')
      .split(/^seed /m)
      .find((part) => part.startsWith(`1, ${found?.host}\n`));
    expect(story).toContain(`${found?.host}: FAULT bridge-down`);
    expect(story).toContain(`${found?.host}: *** MISSED: ${found?.text}`);
    expect(story).toMatch(/sim\/vm-\d+: FAULT bridge-down/);
  });
});
