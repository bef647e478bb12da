import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { push, startPrometheus } from './prometheus.js';
import { host, source, statsTimes, vm } from './source.js';

const FILE = new URL('../../../packaging/grafana/vmpulse.json', import.meta.url);
/** Columns of a dashboard of Grafana. */
const COLUMNS = 24;

const datasource = z.object({ type: z.literal('prometheus'), uid: z.literal(`\${datasource}`) });
const gridPos = z.object({
  x: z.int().min(0),
  y: z.int().min(0),
  w: z.int().min(1).max(COLUMNS),
  h: z.int().min(1),
});
const target = z.looseObject({
  refId: z.string().regex(/^[A-Z]$/),
  expr: z.string().min(1),
  legendFormat: z.string().optional(),
  datasource: datasource.optional(),
});
const shared = { id: z.int().min(1), title: z.string().min(1), gridPos };
const row = z.looseObject({ ...shared, type: z.literal('row'), panels: z.tuple([]) });
const panel = z.looseObject({
  ...shared,
  type: z.enum(['stat', 'timeseries', 'table']),
  datasource,
  targets: z.array(target).min(1),
});

const dashboard = z
  .looseObject({
    title: z.string().min(1),
    uid: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/),
    schemaVersion: z.int().min(36),
    templating: z.object({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
    panels: z.array(z.union([row, panel])),
  })
  .parse(JSON.parse(readFileSync(FILE, 'utf8')));

const { panels } = dashboard;
const asking = panels.flatMap((each) => (each.type === 'row' ? [] : [panel.parse(each)]));

type Rectangle = z.output<typeof gridPos>;
const overlap = (a: Rectangle, b: Rectangle) =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

describe('the dashboard', () => {
  it('has panels with ids of their own, within the width and beside each other', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { title, gridPos: at }] of panels.entries()) {
      expect(at.x + at.w, title).toBeLessThanOrEqual(COLUMNS);
      for (const other of panels.slice(index + 1))
        expect(overlap(at, other.gridPos), `${title} and ${other.title}`).toBe(false);
    }
  });

  it('uses the variables that it has, and no other', () => {
    const known = new Set(dashboard.templating.list.map(({ name }) => name));
    expect([...known].toSorted()).toEqual(['datasource', 'instance']);
    const text = readFileSync(FILE, 'utf8');
    const used = [...text.matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name);
    const ofGrafana = new Set(['__rate_interval', '__all']);
    expect(used.filter((name) => !known.has(name) && !ofGrafana.has(name))).toEqual([]);
    for (const { title, targets } of asking)
      for (const { expr } of targets) expect(expr, title).toContain('instance=~"$instance"');
  });

  it('has targets of one panel with names of their own', () => {
    for (const { title, targets } of asking)
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
  });
});

/** A host on which something of everything is wrong. */
function troubled() {
  const vms = [
    vm('a/well'),
    vm('a/fails', { health: 'unhealthy', ready: false }),
    vm('a/drifts', { compliant: false }),
    vm('a/war', { paused: true }),
  ];
  const counts = new Map([
    ['healthy', 3],
    ['unhealthy', 1],
  ] as const);
  const nowMs = Date.now();
  const hostFigures = () =>
    host({
      ...{ nowMs, healthCounts: counts, brakeSinceMs: nowMs - 60_000, incidentSinceMs: nowMs - 60_000 },
      degradations: [{ what: 'kvm', why: 'there is none', sinceMs: nowMs }],
    });
  return { vmFigures: () => vms, hostFigures };
}

const missing = prometheusProgram('prometheus') === undefined;

describe.skipIf(missing)(
  'the dashboard in a real Prometheus (needs node scripts/setup.mjs --ci)',
  { timeout: 90_000 },
  () => {
    it('has an answer for every panel, with the labels that its legend names', async () => {
      const prometheus = await startPrometheus();
      const metrics = createMetrics();
      onTestFinished(() => metrics.close());
      let factor = 1;
      metrics.bind(source({ ...troubled(), engineStats: () => statsTimes(factor) }));
      metrics.recovery('reset', 'done');
      const nowMs = Date.now();
      await push(metrics, prometheus.url, nowMs - 120_000);
      factor = 2;
      metrics.recovery('reset', 'done');
      await push(metrics, prometheus.url, nowMs - 1_000);
      for (const { title, targets } of asking) {
        for (const { expr, legendFormat = '' } of targets) {
          const asked = expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', 'kvm-.*');
          const found = await prometheus.query(asked);
          expect(found, `${title}: ${expr}`).not.toEqual([]);
          for (const [, label = ''] of legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g))
            expect(found[0]?.metric, `${title}: ${legendFormat}`).toHaveProperty(label);
        }
      }
    });
  },
);
