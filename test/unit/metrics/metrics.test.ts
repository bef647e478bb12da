import { gunzipSync } from 'node:zlib';
import { Counter, Registry, register } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import { createMetrics, type Metrics } from '../../../src/runtime/metrics/metrics.js';
import { host, lines, linesOf, STATS, source, VMS, vm } from './source.js';

/** Metrics that end with the test. */
function make(options: Parameters<typeof createMetrics>[0] = {}): Metrics {
  const metrics = createMetrics(options);
  onTestFinished(() => metrics.close());
  return metrics;
}

async function scrape(
  options: Parameters<typeof createMetrics>[0] = {},
  more: Parameters<typeof source>[0] = {},
): Promise<string[]> {
  const metrics = make(options);
  metrics.bind(source(more));
  return linesOf(metrics);
}

describe('createMetrics', () => {
  it('tells checks by kind, failures by class and what could not be told by reason', async () => {
    expect((await scrape()).filter((line) => line.startsWith('vmpulse_health_checks_'))).toEqual([
      'vmpulse_health_checks_total{kind="httpGet"} 100',
      'vmpulse_health_checks_total{kind="tcpSocket"} 20',
      'vmpulse_health_checks_failed_total{kind="httpGet",class="refused"} 7',
      'vmpulse_health_checks_failed_total{kind="httpGet",class="invalid-response"} 2',
      'vmpulse_health_checks_inconclusive_total{kind="httpGet",reason="prober-late"} 1',
    ]);
  });

  it('takes over the engine’s buckets', async () => {
    expect((await scrape()).filter((line) => line.startsWith('vmpulse_probe_duration_seconds'))).toEqual([
      'vmpulse_probe_duration_seconds_bucket{kind="httpGet",le="0.001"} 60',
      'vmpulse_probe_duration_seconds_bucket{kind="httpGet",le="0.25"} 95',
      'vmpulse_probe_duration_seconds_bucket{kind="httpGet",le="+Inf"} 100',
      'vmpulse_probe_duration_seconds_sum{kind="httpGet"} 4.5',
      'vmpulse_probe_duration_seconds_count{kind="httpGet"} 100',
    ]);
  });

  it('tells engine, build and host', async () => {
    expect(await scrape()).toEqual(
      expect.arrayContaining([
        'vmpulse_up 1',
        'vmpulse_build_info{version="1.2.3",engine="native",reactor="epoll"} 1',
        'vmpulse_start_time_seconds 1700000000.5',
        'vmpulse_engine_targets 3',
        'vmpulse_engine_probes_in_flight 1',
        'vmpulse_engine_probes_started_total 120',
        'vmpulse_engine_transitions_coalesced_total 7',
        'vmpulse_engine_reactor_panics_total 2',
        'vmpulse_engine_reactors_down 1',
        'vmpulse_engine_lateness_seconds{quantile="0.5"} 0.0005',
        'vmpulse_engine_lateness_seconds{quantile="0.99"} 0.002',
        'vmpulse_engine_lateness_seconds{quantile="1"} 0.25',
        'vmpulse_journal_available 1',
        'vmpulse_recovery_holds 0',
        'vmpulse_fleet_brake_held_seconds 0',
        'vmpulse_shared_cause_held_seconds 0',
        'vmpulse_vm_series_available 1',
        'vmpulse_metrics_thread_restarts_total 0',
      ]),
    );
  });

  it('tells each VM’s state and readiness with its name escaped, and counts every state', async () => {
    const found = await scrape();
    expect(found.filter((line) => /^vmpulse_vm_(?!series)|^vmpulse_thrashing/.test(line))).toEqual([
      'vmpulse_vm_health{namespace="default",vm="web-1",state="healthy"} 1',
      'vmpulse_vm_health{namespace="lab",vm="db \\"1\\"",state="unhealthy"} 1',
      'vmpulse_vm_ready{namespace="default",vm="web-1"} 1',
      'vmpulse_vm_ready{namespace="lab",vm="db \\"1\\""} 0',
      'vmpulse_vm_compliance{namespace="default",vm="web-1"} 1',
      'vmpulse_vm_compliance{namespace="lab",vm="db \\"1\\""} 1',
      'vmpulse_vm_paused{namespace="default",vm="web-1"} 0',
      'vmpulse_vm_paused{namespace="lab",vm="db \\"1\\""} 0',
      'vmpulse_thrashing_total{namespace="default",vm="web-1"} 0',
      'vmpulse_thrashing_total{namespace="lab",vm="db \\"1\\""} 0',
    ]);
    expect(found).toContain('vmpulse_vms{state="unhealthy"} 1');
    expect(found).toContain('vmpulse_vms{state="quarantined"} 0');
  });

  it('forgets VMs that are gone and states that are over, and has what is new', async () => {
    let vms = VMS;
    const metrics = make();
    metrics.bind(source({ vmFigures: () => vms }));
    await linesOf(metrics);
    vms = [vm('default/web-1', { health: 'degraded' }), vm('lab/new')];
    expect((await linesOf(metrics)).filter((line) => line.startsWith('vmpulse_vm_health'))).toEqual([
      'vmpulse_vm_health{namespace="default",vm="web-1",state="degraded"} 1',
      'vmpulse_vm_health{namespace="lab",vm="new",state="healthy"} 1',
    ]);
  });

  it('is the same compressed, and one text for all who wait for their turn', async () => {
    const metrics = make();
    let reads = 0;
    metrics.bind(source({ hostFigures: () => ({ ...host(), editWars: ++reads }) }));
    const [first, second, zipped] = await Promise.all([
      metrics.render('identity'),
      metrics.render('identity'),
      metrics.render('gzip'),
    ]);
    expect(second).toBe(first);
    expect(reads).toBe(2);
    const plain = Buffer.from(first).toString();
    expect(gunzipSync(zipped).toString()).toBe(plain.replace('vmpulse_edit_wars 1', 'vmpulse_edit_wars 2'));
  });

  it('tells how long brake and incident have held', async () => {
    const { nowMs } = host();
    const found = await scrape(
      {},
      { hostFigures: () => host({ brakeSinceMs: nowMs - 90_000, incidentSinceMs: nowMs - 1_500 }) },
    );
    expect(found).toContain('vmpulse_fleet_brake_held_seconds 90');
    expect(found).toContain('vmpulse_shared_cause_held_seconds 1.5');
  });

  it('shows a journal that is unavailable, and degradations without the names of VMs', async () => {
    const degradations = ['journal', 'look/a/b', 'look/a/c'].map((what) => ({ what, why: 'w', sinceMs: 0 }));
    const found = await scrape({}, { hostFigures: () => host({ degradations }) });
    expect(found).toContain('vmpulse_journal_available 0');
    expect(found.filter((line) => line.startsWith('vmpulse_degradations'))).toEqual([
      'vmpulse_degradations{what="journal"} 1',
      'vmpulse_degradations{what="look"} 2',
    ]);
  });

  it('tells what differs from the documents, what is customized or paused, and what is missing', async () => {
    const vms = [
      vm('a/drifts', { compliant: false }),
      vm('a/held', { paused: true, customizations: ['reconcile-paused'] }),
      vm('a/tls', { certificates: [{ probe: 'web', notAfterMs: 1_900_000_000_000 }] }),
    ];
    const degradations = ['kvm', 'privileges/a/drifts/ping'].map((what) => ({ what, why: 'w', sinceMs: 0 }));
    const found = await scrape(
      {},
      { vmFigures: () => vms, hostFigures: () => host({ degradations, editWars: 3 }) },
    );
    expect(found).toEqual(
      expect.arrayContaining([
        'vmpulse_vm_compliance{namespace="a",vm="drifts"} 0',
        'vmpulse_vm_compliance{namespace="a",vm="held"} 1',
        'vmpulse_vm_paused{namespace="a",vm="drifts"} 0',
        'vmpulse_vm_paused{namespace="a",vm="held"} 1',
        'vmpulse_edit_wars 3',
        'vmpulse_dependency_missing{what="kvm"} 1',
        'vmpulse_dependency_missing{what="privileges"} 1',
        'vmpulse_dependency_missing{what="engine"} 0',
      ]),
    );
    expect(found.filter((line) => line.startsWith('vmpulse_certificate'))).toEqual([
      'vmpulse_certificate_expiry_timestamp_seconds{namespace="a",vm="tls",probe="web"} 1900000000',
    ]);
    expect(found.filter((line) => line.startsWith('vmpulse_vm_customized'))).toEqual([
      'vmpulse_vm_customized{namespace="a",vm="held",type="reconcile-paused"} 1',
    ]);
  });

  it('counts wars over changes, and times how long a reload took', async () => {
    const metrics = make();
    metrics.bind(source({ vmFigures: () => [vm('a/vm')] }));
    metrics.thrash('a/vm');
    metrics.thrash('a/vm');
    metrics.reconciled(0.2);
    const found = await linesOf(metrics);
    expect(found).toContain('vmpulse_thrashing_total{namespace="a",vm="vm"} 2');
    expect(found).toContain('vmpulse_reconcile_duration_seconds_bucket{le="0.1"} 0');
    expect(found).toContain('vmpulse_reconcile_duration_seconds_bucket{le="0.5"} 1');
  });

  it('counts recoveries by step and result, from 0 on', async () => {
    const metrics = make();
    metrics.recovery('reset', 'done');
    metrics.recovery('reset', 'done');
    metrics.recovery('start', 'impossible');
    const found = await linesOf(metrics);
    expect(found).toContain('vmpulse_recoveries_total{step="reset",result="done"} 2');
    expect(found).toContain('vmpulse_recoveries_total{step="start",result="impossible"} 1');
    expect(found).toContain('vmpulse_recoveries_total{step="power-cycle",result="failed"} 0');
  });

  it('reads the engine once a scrape, also when the host program scrapes its own registry', async () => {
    const registry = new Registry();
    new Counter({ name: 'host_program_total', help: 'h', registers: [registry] });
    const metrics = make({ registry });
    let reads = 0;
    metrics.bind(source({ engineStats: () => ({ ...STATS, probesStarted: ++reads }) }));
    expect(lines(await registry.metrics())).toEqual(
      expect.arrayContaining(['host_program_total 0', 'vmpulse_engine_probes_started_total 1']),
    );
    expect(await linesOf(metrics)).toContain('vmpulse_engine_probes_started_total 2');
    expect(reads).toBe(2);
  });

  it('does not fail the scrape of a host program before the start and after the end', async () => {
    const registry = new Registry();
    const metrics = make({ registry });
    expect(lines(await registry.metrics())).toContain('vmpulse_up 0');
    const closed = () => {
      throw new VmpulseError('ERR_VMPULSE_CLOSED', 'closed');
    };
    metrics.bind(source({ engineStats: closed, hostFigures: closed, vmFigures: closed }));
    expect(await linesOf(metrics)).toContain('vmpulse_up 0');
  });

  it('leaves the global registry alone', async () => {
    await scrape({ seedNames: true });
    expect(await register.getMetricsAsJSON()).toEqual([]);
  });
});
