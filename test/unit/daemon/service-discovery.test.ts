import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { prometheusProgram } from '../../../scripts/lib/prometheus.mjs';
import { createMetricsApi } from '../../../src/daemon/api.js';
import { closeHttpServer, createHttpServer } from '../../../src/daemon/http-server.js';
import { targetGroups } from '../../../src/daemon/service-discovery.js';
import { silentLogger } from '../../../src/model/logger.js';
import { startPrometheus } from '../metrics/prometheus.js';
import { FakeRuntime, vmView } from './fake-runtime.js';

const VMS = [
  vmView('default/web-1', { labels: { 'app.kubernetes.io/name': 'web' } }),
  vmView('lab/db', { ready: false, health: 'unhealthy', address: '2001:db8::7', endpoint: null }),
  vmView('lab/no-address', { address: null, endpoint: null }),
];

describe('service discovery of Prometheus', () => {
  it('has the port of the readiness probe, the labels under __meta_vmpulse_, and leaves out who has no port', () => {
    expect(targetGroups(VMS, {})).toEqual([
      {
        targets: ['192.0.2.7:8080'],
        labels: {
          __meta_vmpulse_namespace: 'default',
          __meta_vmpulse_vm: 'web-1',
          __meta_vmpulse_health: 'healthy',
          __meta_vmpulse_ready: 'true',
          __meta_vmpulse_label_app_kubernetes_io_name: 'web',
        },
      },
    ]);
  });

  it('takes another port, of all VMs with an address or of those that are ready', () => {
    const targets = (query: object) => targetGroups(VMS, query).flatMap((group) => group.targets);
    expect(targets({ port: '9100' })).toEqual(['192.0.2.7:9100', '[2001:db8::7]:9100']);
    expect(targets({ port: '9100', ready: 'true' })).toEqual(['192.0.2.7:9100']);
    expect(targets({ port: '9100', ready: 'false' })).toHaveLength(2);
  });

  it.each([
    [{ port: '0' }, /port is a number/],
    [{ port: '9100/x' }, /port is a number/],
    [{ ready: 'yes' }, /ready is true or false/],
  ])('refuses %j', (query, message) => {
    expect(() => targetGroups(VMS, query)).toThrow(message);
  });
});

const missing = prometheusProgram('prometheus') === undefined;
const targets = z.object({
  data: z.object({
    activeTargets: z.array(z.object({ labels: z.record(z.string(), z.string()), scrapeUrl: z.string() })),
  }),
});

describe.skipIf(missing)('a real Prometheus (needs node scripts/setup.mjs --ci)', () => {
  it('finds the VMs that are ready, and loses one that is not any more', { timeout: 90_000 }, async () => {
    const runtime = new FakeRuntime();
    const server = createHttpServer(createMetricsApi(runtime, silentLogger)).listen(0, '127.0.0.1');
    onTestFinished(() => closeHttpServer(server));
    await once(server, 'listening');
    const { port } = z.object({ port: z.number() }).parse(server.address());
    // What is scraped is this very server, so that nothing leaves the host.
    const web = (more: Parameters<typeof vmView>[1] = {}) =>
      vmView('default/web-1', { address: '127.0.0.1', labels: { tier: 'front' }, ...more });
    const db = vmView('lab/db', { address: '127.0.0.1', endpoint: null });
    runtime.vms = [web(), db];
    const sd = `http://127.0.0.1:${port}/sd/prometheus?port=${port}&ready=true`;
    const { url } = await startPrometheus(`global: {scrape_interval: 1s}
scrape_configs:
- job_name: vms
  http_sd_configs: [{url: '${sd}', refresh_interval: 1s}]
  relabel_configs:
  - {source_labels: [__meta_vmpulse_vm], target_label: vm}
  - {source_labels: [__meta_vmpulse_label_tier], target_label: tier}
`);
    const found = async () => {
      const response = await fetch(`${url}/api/v1/targets?state=active`);
      const { activeTargets } = targets.parse(await response.json()).data;
      return activeTargets.map(({ labels }) => `${labels.vm} ${labels.tier ?? '-'}`).sort();
    };
    const patience = { timeout: 30_000, interval: 100 };
    await expect.poll(found, patience).toEqual(['db -', 'web-1 front']);
    runtime.vms = [web({ ready: false, health: 'unhealthy' }), db];
    await expect.poll(found, patience).toEqual(['db -']);
  });
});
