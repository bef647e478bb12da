import type { EngineStats } from '../../../src/engine/probe-engine.js';
import type { Metrics } from '../../../src/runtime/metrics/metrics.js';
import type { HostFigures, VmFigures } from '../../../src/runtime/views.js';

export const STATS: EngineStats = {
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

export function vm(id: string, more: Partial<VmFigures> = {}): VmFigures {
  return {
    id,
    health: 'healthy',
    ready: true,
    compliant: true,
    paused: false,
    customizations: [],
    certificates: [],
    ...more,
  };
}

export const VMS = [vm('default/web-1'), vm('lab/db "1"', { health: 'unhealthy', ready: false })];

export function host(more: Partial<HostFigures> = {}): HostFigures {
  return {
    version: '1.2.3',
    startedAtMs: 1_700_000_000_500,
    nowMs: 1_700_000_100_500,
    holds: [],
    degradations: [],
    healthCounts: new Map([
      ['healthy', 1],
      ['unhealthy', 1],
    ]),
    editWars: 0,
    brakeSinceMs: null,
    incidentSinceMs: null,
    ...more,
  };
}

/** Without comments. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Something to read: by default two VMs on a host where all is well. */
export function source(more: Partial<Parameters<Metrics['bind']>[0]> = {}): Parameters<Metrics['bind']>[0] {
  return {
    engineStats: () => STATS,
    hostFigures: () => host(),
    changedVms: () => undefined,
    vmFigures: () => VMS,
    degrade: () => {},
    ...more,
  };
}

export async function linesOf(metrics: Metrics): Promise<string[]> {
  return lines(Buffer.from(await metrics.render('identity')).toString());
}

/** The same probes, so many times over. */
export function statsTimes(factor: number): EngineStats {
  return {
    ...STATS,
    outcomes: STATS.outcomes.map((one) => ({ ...one, count: one.count * factor })),
    durations: STATS.durations.map((one) => ({ ...one, counts: one.counts.map((n) => n * factor) })),
  };
}
