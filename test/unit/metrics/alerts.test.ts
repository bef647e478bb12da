import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import { commandPaths, documentedMetrics, metricsOf, ROOT, rules } from './alert-files.js';

const TESTS = readFileSync(join(ROOT, 'packaging/prometheus/alerts.test.yaml'), 'utf8');
const RULES = readFileSync(join(ROOT, 'packaging/prometheus/alerts.yaml'), 'utf8');
const RUNBOOKS = join(ROOT, 'docs/runbooks');
const SECTIONS = ['Meaning', 'Impact', 'Diagnosis', 'Causes', 'What to do', 'Escalation'];
const promtool = prometheusProgram('promtool');

const cases = z
  .object({
    tests: z.array(
      z.object({
        promql_expr_test: z.array(z.object({ expr: z.string(), exp_samples: z.array(z.unknown()) })),
      }),
    ),
  })
  .parse(parse(TESTS))
  .tests.flatMap(({ promql_expr_test }) => promql_expr_test);

/** Runs the alerts' own tests with these rules. */
function testRules(text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-alerts-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'alerts.yaml'), text);
  writeFileSync(join(dir, 'alerts.test.yaml'), TESTS);
  return execFileSync(promtool ?? '', ['test', 'rules', join(dir, 'alerts.test.yaml')], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

describe.skipIf(promtool === undefined)('alerts by promtool (needs node scripts/setup.mjs --ci)', () => {
  it('are rules that Prometheus reads', () => {
    const told = execFileSync(promtool ?? '', [
      'check',
      'rules',
      join(ROOT, 'packaging/prometheus/alerts.yaml'),
    ]);
    expect(told.toString()).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  it('fire when they should, and only then', () => {
    expect(testRules(RULES)).toContain('SUCCESS');
  });

  it('are not taken for right when they fire too late, or too early', () => {
    expect(() => testRules(RULES.replace('for: 15m', 'for: 30m'))).toThrow();
    expect(() => testRules(RULES.replace('> 0.05', '> 0.01'))).toThrow();
  });
});

describe('alerts', () => {
  it('are each tested firing and not firing', () => {
    expect(rules.length).toBeGreaterThan(12);
    for (const { alert } of rules) {
      const own = cases.filter(({ expr }) => expr.includes(`alertname="${alert}"`));
      expect(
        own.filter(({ exp_samples }) => exp_samples.length > 0),
        `${alert} fires`,
      ).not.toEqual([]);
      expect(
        own.filter(({ exp_samples }) => exp_samples.length === 0),
        `${alert} is silent`,
      ).not.toEqual([]);
    }
  });

  it.each(rules)('$alert is labelled, and leads to its runbook', ({ alert, labels, annotations }) => {
    expect(labels).toEqual({ operator: 'vmpulse', severity: expect.stringMatching(/^(critical|warning)$/) });
    expect(annotations).toEqual({
      summary: expect.any(String),
      description: expect.any(String),
      runbook: `docs/runbooks/${alert}.md`,
    });
    const page = readFileSync(join(ROOT, annotations.runbook), 'utf8');
    expect(page).toMatch(new RegExp(`^# ${alert}\n\n\\*\\*Severity\\*\\*: ${labels.severity}\n`));
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(SECTIONS);
  });

  it('have a runbook each, and no runbook is without its alert', () => {
    const pages = readdirSync(RUNBOOKS).map((name) => name.replace(/\.md$/, ''));
    expect(pages.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  it('ask only for metrics that docs/reference/metrics.md has', () => {
    // `up` is Prometheus' own.
    const known = new Set([...documentedMetrics(), 'up']);
    for (const { alert, expr } of rules) {
      expect(metricsOf(expr).length, alert).toBeGreaterThan(0);
      expect(
        metricsOf(expr).filter((name) => !known.has(name)),
        alert,
      ).toEqual([]);
    }
  });

  it('name only commands that there are', async () => {
    const known = await commandPaths();
    for (const page of readdirSync(RUNBOOKS)) {
      const text = readFileSync(join(RUNBOOKS, page), 'utf8');
      const said = [...text.matchAll(/(?:^|`)vmpulse ((?:[a-z][a-z-]* ?)+)/gm)].map(([, words = '']) =>
        words.trim(),
      );
      const wrong = said.filter(
        (words) => !known.some((path) => words === path || words.startsWith(`${path} `)),
      );
      expect(wrong, page).toEqual([]);
    }
  });
});
