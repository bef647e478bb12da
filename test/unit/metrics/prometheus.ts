import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import type { Metrics } from '../../../src/runtime/metrics/metrics.js';
import { sendMetrics } from '../../../src/runtime/metrics/push/send-metrics.js';
import { freePort } from '../../fixtures/ports.js';

const answer = z.object({
  status: z.literal('success'),
  data: z.object({
    result: z.array(
      z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});

export type Found = z.output<typeof answer>['data']['result'];

export interface Prometheus {
  readonly url: string;
  /** An instant query. */
  query(expr: string): Promise<Found>;
}

/** Debian's Prometheus on loopback, with a receiver of remote write; it ends with the test. `config`: its own file. */
export async function startPrometheus(config = 'global: {}\n'): Promise<Prometheus> {
  const program = prometheusProgram('prometheus');
  if (program === undefined)
    throw new Error('there is no prometheus; node scripts/setup.mjs --ci unpacks it');
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-prometheus-'));
  writeFileSync(join(dir, 'prometheus.yml'), config);
  const children: ChildProcess[] = [];
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  // The port is free when it is asked for; should another take it meanwhile, the next is tried.
  for (let attempt = 1; ; attempt++) {
    const url = `http://127.0.0.1:${await freePort()}`;
    const child = spawn(
      program,
      [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, `data-${attempt}`)}`,
        `--web.listen-address=${url.replace('http://', '')}`,
        '--web.enable-remote-write-receiver',
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    children.push(child);
    const isReady = await vi.waitFor(
      async () => {
        if (child.exitCode !== null) return false;
        const { ok } = await fetch(`${url}/-/ready`);
        if (!ok) throw new Error('not ready yet');
        return true;
      },
      { timeout: 25_000, interval: 100 },
    );
    if (isReady) return { url, query: (expr) => query(url, expr) };
    if (attempt === 3) throw new Error('prometheus does not start');
  }
}

async function query(url: string, expr: string): Promise<Found> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
  return answer.parse(await response.json()).data.result;
}

/** Sends the metrics as they are by remote write. */
export async function push(metrics: Metrics, endpoint: string, atMs: number): Promise<void> {
  const text = await metrics.render('identity');
  const labels = { job: 'vmpulse', instance: 'kvm-1' };
  await sendMetrics({ endpoint, labels, text, atMs }, { deadlineMs: 20_000 });
}
