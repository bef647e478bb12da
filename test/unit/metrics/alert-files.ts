import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { describedProgram } from '../../../src/cli/program.js';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The alerts that are delivered. */
export const rules = z
  .object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            alert: z.string(),
            expr: z.string(),
            labels: z.record(z.string(), z.string()),
            annotations: z.object({ summary: z.string(), description: z.string(), runbook: z.string() }),
          }),
        ),
      }),
    ),
  })
  .parse(parse(readFileSync(join(ROOT, 'packaging/prometheus/alerts.yaml'), 'utf8')))
  .groups.flatMap((group) => group.rules);

/** What the reference page lists; a histogram has its three series. */
export function documentedMetrics(): string[] {
  const page = readFileSync(join(ROOT, 'docs/reference/metrics.md'), 'utf8');
  return [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  );
}

/** The metrics that a PromQL expression asks for. */
export function metricsOf(expr: string): string[] {
  const bare = expr.replace(/"[^"]*"/g, '""').replace(/\{[^}]*\}/g, '{}');
  return [...bare.matchAll(/\b(?:vmpulse|vm|virt_platform|kubevirt_autopilot)_[a-z0-9_]+\b|\bup\b/g)].map(
    ([name]) => name,
  );
}

/** `status`, `vm release` and so on, as they are typed. */
export async function commandPaths(): Promise<string[]> {
  const below = (command: Command, path: string): string[] =>
    command.commands.length === 0
      ? [path]
      : command.commands.flatMap((child) => below(child, `${path} ${child.name()}`.trim()));
  return below(await describedProgram(), '');
}
