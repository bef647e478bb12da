import { Counter, Registry, register } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { EngineStats } from '../../../src/engine/probe-engine.js';
import { VmpulseError } from '../../../src/model/errors.js';
import { createMetrics } from '../../../src/runtime/metrics.js';
import type { HostView, VmView } from '../../../src/runtime/views.js';

const STATS: EngineStats = {
  targets: 3,
  inFlight: 1,
  probesStarted: 120,
  outcomes: [
    { kind: 'httpGet', reason: 'ok', count: 90 },
    { kind: 'httpGet', reason: 'connection-refused', count: 4 },
    { kind: 'httpGet', reason: 'connection-reset', count: 3 },
    { kind: 'httpGet', reason: 'bad-status', count: 2 },
    { kind: 'httpGet', reason: 'prober-late', count: 1 },
    { kind: 'tcpSocket', reason: 'ok', count: 20 },
  ],
  durations: [{ kind: 'httpGet', bounds: [0.001, 0.25], counts: [60, 95, 100], sumSeconds: 4.5 }],
  latenessMs: { p50: 0.5, p99: 2, max: 250 },
  coalesced: 7,
  reactorPanics: 2,
  reactorsDown: 1,
  backend: 'native',
  reactor: 'epoll',
};

function vm(id: string, more: Partial<VmView> = {}): VmView {
  return {
    id,
    health: 'healthy',
    sinceMs: 0,
    ready: true,
    keptReadyBy: null,
    runStrategy: 'Always',
    lifeState: 'RUNNING',
    recoveryEnabled: true,
    address: null,
    endpoint: { host: '192.0.2.7', port: 8080 },
    labels: { app: 'web' },
    vmm: null,
    note: '',
    editWarSinceMs: null,
    probes: [],
    mode: { kind: 'managed', reason: '' },
    compliance: { compliant: true, drift: [] },
    customizations: [],
    restartRequired: false,
    ...more,
  };
}

function view(more: Partial<HostView> = {}): HostView {
  return {
    version: '1.2.3',
    host: 'host-1',
    pid: 1,
    startedAtMs: 1_700_000_000_500,
    nowMs: 0,
    engine: 'native',
    holds: [],
    degradations: [],
    vms: [vm('default/web-1'), vm('lab/db "1"', { health: 'unhealthy', ready: false })],
    ...more,
  };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

async function scrape(
  options: Parameters<typeof createMetrics>[0] = {},
  hostView: HostView = view(),
): Promise<string[]> {
  const metrics = createMetrics(options);
  metrics.bind({ engineStats: () => STATS, hostFigures: () => hostView });
  return lines(await metrics.text());
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
      ]),
    );
  });

  it('tells each VM’s state and readiness with its name escaped, and counts every state', async () => {
    const found = await scrape();
    expect(found.filter((line) => line.startsWith('vmpulse_vm_'))).toEqual([
      'vmpulse_vm_health{namespace="default",vm="web-1",state="healthy"} 1',
      'vmpulse_vm_health{namespace="lab",vm="db \\"1\\"",state="unhealthy"} 1',
      'vmpulse_vm_ready{namespace="default",vm="web-1"} 1',
      'vmpulse_vm_ready{namespace="lab",vm="db \\"1\\""} 0',
      'vmpulse_vm_compliance{namespace="default",vm="web-1"} 1',
      'vmpulse_vm_compliance{namespace="lab",vm="db \\"1\\""} 1',
      'vmpulse_vm_paused{namespace="default",vm="web-1"} 0',
      'vmpulse_vm_paused{namespace="lab",vm="db \\"1\\""} 0',
    ]);
    expect(found).toContain('vmpulse_vms{state="unhealthy"} 1');
    expect(found).toContain('vmpulse_vms{state="quarantined"} 0');
  });

  it('forgets VMs that are gone and states that are over', async () => {
    let current = view();
    const metrics = createMetrics();
    metrics.bind({ engineStats: () => STATS, hostFigures: () => current });
    await metrics.text();
    current = view({ vms: [vm('default/web-1', { health: 'degraded' })] });
    expect(lines(await metrics.text()).filter((line) => line.startsWith('vmpulse_vm_health'))).toEqual([
      'vmpulse_vm_health{namespace="default",vm="web-1",state="degraded"} 1',
    ]);
  });

  it('shows a journal that is unavailable, and degradations without the names of VMs', async () => {
    const degradations = ['journal', 'look/a/b', 'look/a/c'].map((what) => ({ what, why: 'w', sinceMs: 0 }));
    const found = await scrape({}, view({ degradations }));
    expect(found).toContain('vmpulse_journal_available 0');
    expect(found.filter((line) => line.startsWith('vmpulse_degradations'))).toEqual([
      'vmpulse_degradations{what="journal"} 1',
      'vmpulse_degradations{what="look"} 2',
    ]);
  });

  it('tells what differs from the documents, what is customized or paused, and what is missing', async () => {
    const vms = [
      vm('a/drifts', { compliance: { compliant: false, drift: ['runStrategy'] } }),
      vm('a/held', { mode: { kind: 'paused', reason: 'r' }, customizations: ['reconcile-paused'] }),
      vm('a/war', { editWarSinceMs: 1 }),
    ];
    const found = await scrape({}, view({ vms, degradations: [{ what: 'kvm', why: 'w', sinceMs: 0 }] }));
    expect(found).toEqual(
      expect.arrayContaining([
        'vmpulse_vm_compliance{namespace="a",vm="drifts"} 0',
        'vmpulse_vm_compliance{namespace="a",vm="held"} 1',
        'vmpulse_vm_paused{namespace="a",vm="drifts"} 0',
        'vmpulse_vm_paused{namespace="a",vm="held"} 1',
        'vmpulse_vm_paused{namespace="a",vm="war"} 1',
        'vmpulse_dependency_missing{what="kvm"} 1',
        'vmpulse_dependency_missing{what="engine"} 0',
      ]),
    );
    expect(found.filter((line) => line.startsWith('vmpulse_vm_customized'))).toEqual([
      'vmpulse_vm_customized{namespace="a",vm="held",type="reconcile-paused"} 1',
    ]);
  });

  it('counts wars over changes, and times how long a reload took', async () => {
    const metrics = createMetrics();
    metrics.thrash('a/vm');
    metrics.thrash('a/vm');
    metrics.reconciled(0.2);
    const found = lines(await metrics.text());
    expect(found).toContain('vmpulse_thrashing_total{namespace="a",vm="vm"} 2');
    expect(found).toContain('vmpulse_reconcile_duration_seconds_bucket{le="0.1"} 0');
    expect(found).toContain('vmpulse_reconcile_duration_seconds_bucket{le="0.5"} 1');
  });

  it('counts recoveries by step and result, from 0 on', async () => {
    const metrics = createMetrics();
    metrics.recovery('reset', 'done');
    metrics.recovery('reset', 'done');
    metrics.recovery('start', 'impossible');
    const found = lines(await metrics.text());
    expect(found).toContain('vmpulse_recoveries_total{step="reset",result="done"} 2');
    expect(found).toContain('vmpulse_recoveries_total{step="start",result="impossible"} 1');
    expect(found).toContain('vmpulse_recoveries_total{step="power-cycle",result="failed"} 0');
  });

  it('has the older names only when asked, with labels that divide', async () => {
    expect((await scrape()).some((line) => line.startsWith('vm_'))).toBe(false);
    expect((await scrape({ seedNames: true })).filter((line) => line.startsWith('vm_'))).toEqual([
      'vm_health_checks_total{kind="httpGet"} 100',
      'vm_health_checks_total{kind="tcpSocket"} 20',
      'vm_health_check_failed{kind="httpGet"} 9',
      'vm_health_check_failed{kind="tcpSocket"} 0',
    ]);
  });

  it('reads the engine once a scrape, also when the host program scrapes its own registry', async () => {
    const registry = new Registry();
    new Counter({ name: 'host_program_total', help: 'h', registers: [registry] });
    const metrics = createMetrics({ registry });
    let reads = 0;
    metrics.bind({ engineStats: () => ({ ...STATS, probesStarted: ++reads }), hostFigures: () => view() });
    expect(lines(await registry.metrics())).toEqual(
      expect.arrayContaining(['host_program_total 0', 'vmpulse_engine_probes_started_total 1']),
    );
    expect(lines(await registry.metrics())).toContain('vmpulse_engine_probes_started_total 2');
    expect(reads).toBe(2);
  });

  it('does not fail the scrape of a host program before the start and after the end', async () => {
    const registry = new Registry();
    const metrics = createMetrics({ registry });
    expect(lines(await registry.metrics())).toContain('vmpulse_up 0');
    const closed = () => {
      throw new VmpulseError('ERR_VMPULSE_CLOSED', 'closed');
    };
    metrics.bind({ engineStats: closed, hostFigures: closed });
    expect(lines(await registry.metrics())).toContain('vmpulse_up 0');
  });

  it('leaves the global registry alone', async () => {
    await scrape({ seedNames: true });
    expect(await register.getMetricsAsJSON()).toEqual([]);
  });
});
