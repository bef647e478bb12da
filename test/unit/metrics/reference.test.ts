import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { AVAILABLE } from '../../../src/runtime/metrics/renderer.js';
import { vmFamilies } from '../../../src/runtime/metrics/vm-families.js';

const page = readFileSync(new URL('../../../docs/reference/metrics.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.*?) \|$/gm)].map(
  ([, name, type, labels = '', help]) => ({
    name,
    type,
    help,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  }),
);

/** What is rendered, as the page should have it. */
async function rendered() {
  const registry = new Registry();
  createMetrics({ registry, seedNames: true });
  const metrics = await registry.getMetricsAsJSON();
  const ofHost = metrics.map(({ name, help, type }) => ({
    name,
    help,
    type: String(type),
    labels: labelsOf(registry, name),
  }));
  const ofVms = vmFamilies(true).map(({ name, help, type, labelNames }) => ({
    ...{ name, help, type },
    labels: labelNames,
  }));
  return [...ofHost, ...ofVms, { ...AVAILABLE, labels: [] }];
}

function labelsOf(registry: Registry, name: string): unknown {
  const metric = registry.getSingleMetric(name);
  return metric !== undefined && 'labelNames' in metric ? metric.labelNames : undefined;
}

describe('docs/reference/metrics.md', () => {
  it('lists every metric with its type, labels and meaning, and no other', async () => {
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      String(a.name).localeCompare(String(b.name));
    expect(rows.length).toBeGreaterThan(15);
    expect(rows.toSorted(byName)).toEqual((await rendered()).toSorted(byName));
  });
});
