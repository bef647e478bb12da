import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { startCli } from '../cli/run-cli.js';
import { documentedMetrics, metricsOf, ROOT, rules } from './alert-files.js';

const DOCUMENT = `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: web
  annotations:
    vmpulse.dev/mode: unmanaged
spec:
  runStrategy: Manual
  template:
    spec:
      domain:
        devices: {}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata:
  name: web
spec:
  hypervisor:
    qemu:
      memory: 64Mi
      disks:
      - path: /nowhere.qcow2
        format: qcow2
`;

/** What no VM has that is off; metrics.test.ts has it. */
const OF_RUNNING_VMS = ['vmpulse_certificate_expiry_timestamp_seconds'];

/** Names with a type in what a daemon with one VM tells; a histogram by its three series. */
async function namesOfDaemon(): Promise<string[]> {
  const dir = testFolder();
  mkdirSync(join(dir, 'vms.d'));
  writeFileSync(join(dir, 'vms.d/web.yaml'), DOCUMENT);
  writeFileSync(join(dir, 'config.yaml'), 'metrics:\n  seedNames: true\n');
  const places = ['--state-dir', join(dir, 'state'), '--run-dir', join(dir, 'run')];
  const { output } = startCli(['run', '--config', join(dir, 'config.yaml'), ...places]);
  await vi.waitFor(() => expect(output.stderr).toContain('"ready"'), { timeout: 25_000, interval: 50 });
  const client = new Client('http://localhost', { socketPath: join(dir, 'run/vmpulse.sock') });
  onTestFinished(() => client.destroy());
  const { body } = await client.request({ method: 'GET', path: '/metrics' });
  const types = [...(await body.text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return types.flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  );
}

/** What the panels of the dashboard ask. */
function dashboardQueries(): string[] {
  const text = readFileSync(join(ROOT, 'packaging/grafana/vmpulse.json'), 'utf8');
  return [...text.matchAll(/"(?:expr|query)": "((?:[^"\\]|\\.)*)"/g)].map(([, expr = '']) =>
    JSON.parse(`"${expr}"`),
  );
}

describe('what a running daemon tells', () => {
  it('has every metric of the reference page, of the alerts and of the dashboard', async () => {
    const found = new Set([...(await namesOfDaemon()), ...OF_RUNNING_VMS, 'up']);
    const missing = (names: readonly string[]) => names.filter((name) => !found.has(name));
    expect(missing(documentedMetrics())).toEqual([]);
    expect(missing(rules.flatMap(({ expr }) => metricsOf(expr)))).toEqual([]);
    expect(dashboardQueries().length).toBeGreaterThan(10);
    expect(missing(dashboardQueries().flatMap(metricsOf))).toEqual([]);
  });
});
