import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../../src/policy/index.js';
import { createMetrics } from '../../../src/runtime/metrics/metrics.js';
import { buildFigures, buildHostFigures } from '../../../src/runtime/view-builder.js';
import type { SimHost } from '../../../src/sim/sim-host.js';
import { World } from '../../../src/sim/world.js';
import { ROOT } from './alert-files.js';
import { linesOf } from './source.js';

const MINUTE_MS = 60_000;
const HOUR = 60;
const promtool = prometheusProgram('promtool');

/** Series by name and labels: what each scrape of a simulated host had, a minute apart. */
class Recording {
  readonly #series = new Map<string, string[]>();
  #scrapes = 0;

  add(lines: readonly string[]): void {
    for (const line of ['up 1', ...lines]) {
      const at = line.lastIndexOf(' ');
      const name = this.#labelled(line.slice(0, at));
      const values = this.#series.get(name) ?? new Array<string>(this.#scrapes).fill('_');
      this.#series.set(name, [...values, line.slice(at + 1)]);
    }
    this.#scrapes += 1;
    for (const values of this.#series.values()) if (values.length < this.#scrapes) values.push('_');
  }

  /** As Prometheus names what it scrapes. */
  #labelled(series: string): string {
    const [name, labels = ''] = series.split(/[{}]/);
    const own = 'job="vmpulse",instance="sim"';
    return `${name}{${labels === '' ? own : `${own},${labels}`}}`;
  }

  /** Runs the alerts over all of it; throws what promtool says when others fire at those minutes. */
  check(firing: readonly { readonly minute: number; readonly alerts: readonly string[] }[]): string {
    const dir = mkdtempSync(join(tmpdir(), 'vmpulse-silent-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    copyFileSync(join(ROOT, 'packaging/prometheus/alerts.yaml'), join(dir, 'alerts.yaml'));
    const tests = {
      interval: '1m',
      input_series: [...this.#series].map(([series, values]) => ({ series, values: values.join(' ') })),
      promql_expr_test: firing.map(({ minute, alerts }) => ({
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minute}m`,
        exp_samples: alerts.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      })),
    };
    const file = join(dir, 'silent.test.yaml');
    writeFileSync(
      file,
      stringify({ rule_files: ['alerts.yaml'], evaluation_interval: '1m', tests: [tests] }),
    );
    return execFileSync(promtool ?? '', ['test', 'rules', file], { encoding: 'utf8', stdio: 'pipe' });
  }
}

/** The metrics of a simulated daemon, as a scrape would have them. */
async function scrape(host: SimHost, metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  const { daemon } = host;
  if (daemon === null) throw new Error('the daemon does not run');
  const { supervisor, engine } = daemon;
  const nowMs = host.wallMs();
  metrics.bind({
    engineStats: () => engine.stats(),
    hostFigures: () =>
      buildHostFigures(supervisor, {
        version: 'simulated',
        startedAtMs: 0,
        nowMs,
        degradations: supervisor.degradations,
      }),
    changedVms: () => supervisor.takeChanged(),
    vmFigures: (only) => buildFigures(supervisor, supervisor.listed, only),
    degrade: () => {},
  });
  return linesOf(metrics);
}

describe.skipIf(promtool === undefined)(
  'alerts over a simulated host (needs node scripts/setup.mjs --ci)',
  () => {
    it('are silent for an hour in which all is well, and are not when the journal fails after it', async () => {
      const metrics = createMetrics();
      onTestFinished(() => metrics.close());
      const world = new World({
        ...{ seed: 1, vms: 6, hosts: 1, recoveries: [DEFAULT_RECOVERY], policy: DEFAULT_POLICY_CONFIG },
        ...{ canary: {}, maySleep: false },
      });
      const [host] = world.hosts;
      if (host === undefined) throw new Error('there is no host');
      world.begin();
      // The guests boot before the daemon comes.
      let atMs = world.timeline.nowMs + 5 * MINUTE_MS;
      await world.timeline.run(atMs);
      const recording = new Recording();
      const record = async (minutes: number) => {
        for (let n = 0; n < minutes; n++) {
          recording.add(await scrape(host, metrics));
          atMs += MINUTE_MS;
          await world.timeline.run(atMs);
        }
      };
      await record(HOUR + 1);
      host.disk.full = true;
      host.daemon?.journal.diskChanged();
      await record(12);
      host.daemon?.kill();
      const quiet = Array.from({ length: HOUR }, (_, minute) => ({ minute: minute + 1, alerts: [] }));
      expect(recording.check([...quiet, { minute: HOUR + 12, alerts: ['VmpulseJournalFailing'] }])).toContain(
        'SUCCESS',
      );
    });
  },
);
