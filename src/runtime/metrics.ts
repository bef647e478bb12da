import { Counter, Gauge, type PrometheusContentType, Registry } from 'prom-client';
import type { EngineStats } from '../engine/probe-engine.js';
import { type ActionResult, LADDER_STEPS, type LadderStep } from '../model/action.js';
import { HEALTH_STATES } from '../model/health.js';
import { REASON_CLASS, type Reason } from '../model/reasons.js';
import type { VmId } from '../model/vm.js';
import { makeComplianceMetrics, makeReconciling } from './compliance-metrics.js';
import { EngineHistogram } from './engine-histogram.js';
import { countBy, counter, gauge, type Making, type Read, type Reading, vmLabels } from './metric-makers.js';
import type { HostFigures } from './views.js';
import { vmGauge } from './vm-gauge.js';

export interface MetricsOptions {
  /** Where the metrics are registered; default a registry of their own. Never the global one. */
  readonly registry?: Registry<PrometheusContentType>;
  /** Also `vm_health_checks_total` and `vm_health_check_failed`, the names of older dashboards; default false. */
  readonly seedNames?: boolean;
}

/** What the metrics are read from at each scrape. */
interface MetricsSource {
  readonly engineStats: () => EngineStats;
  readonly hostFigures: () => HostFigures;
}

/** The metrics of one runtime; docs/reference/metrics.md lists them. */
export interface Metrics {
  /** Says where to read; until then, and once the source is closed, `vmpulse_up` is 0. */
  bind(source: MetricsSource): void;
  /** Counts one recovery that ended. */
  recovery(step: LadderStep, result: ActionResult['result']): void;
  /** Counts one time that vmpulse waited, or gave in, because others undid what it did. */
  thrash(vm: VmId): void;
  /** Notes how long it took to bring a changed configuration into force. */
  reconciled(seconds: number): void;
  /** Everything in the registry, as Prometheus reads it. */
  text(): Promise<string>;
}

const RESULTS: readonly ActionResult['result'][] = ['done', 'failed', 'impossible'];

/** Makes the metrics. They cost nothing between scrapes: all but the recoveries are read when asked for. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = options.registry ?? new Registry();
  let source: MetricsSource | undefined;
  let reading: Reading | undefined;

  // All metrics of one scrape are collected in one turn; they share one reading, as the engine's lateness is told by interval.
  const read: Read = () => {
    if (reading) return reading;
    reading = readSource(source);
    if (reading) queueMicrotask(() => (reading = undefined));
    return reading;
  };
  const making: Making = { registers: [registry], read };
  makeProcessMetrics(making);
  makeCheckMetrics(making);
  if (options.seedNames) makeSeedMetrics(making);
  makeEngineMetrics(making);
  makeVmMetrics(making);
  makeComplianceMetrics(making);
  const recoveries = makeRecoveries(making);
  const reconciling = makeReconciling(making);

  return {
    bind: (next) => {
      source = next;
    },
    recovery: (step, result) => recoveries.inc({ step, result }),
    thrash: (vm) => reconciling.thrashes.inc(vmLabels(vm)),
    reconciled: (seconds) => reconciling.durations.observe(seconds),
    text: () => registry.metrics(),
  };
}

// A host program may scrape its registry before the runtime has started and after it was closed; that is no error.
function readSource(source: MetricsSource | undefined): Reading | undefined {
  try {
    return source && { stats: source.engineStats(), view: source.hostFigures() };
  } catch {
    return undefined;
  }
}

function makeProcessMetrics(making: Making): void {
  new Gauge({
    name: 'vmpulse_up',
    help: '1 while the runtime answers, 0 before it was started and after it was closed.',
    registers: making.registers,
    collect() {
      this.set(making.read() ? 1 : 0);
    },
  });
  gauge(
    making,
    'vmpulse_build_info',
    'Version and engine, always 1.',
    ['version', 'engine', 'reactor'],
    ({ stats, view }, set) =>
      set({ version: view.version, engine: stats.backend, reactor: stats.reactor }, 1),
  );
  gauge(
    making,
    'vmpulse_start_time_seconds',
    'When the runtime was started, seconds since the epoch.',
    [],
    ({ view }, set) => set({}, view.startedAtMs / 1000),
  );
  gauge(
    making,
    'vmpulse_degradations',
    'What works only in part at the moment, counted by kind.',
    ['what'],
    ({ view }, set) => {
      for (const [what, count] of countBy(view.degradations, ({ what }) => what.split('/', 1)[0] ?? what))
        set({ what }, count);
    },
  );
  gauge(
    making,
    'vmpulse_journal_available',
    '1 while the journal can be written; recovery holds while it is 0.',
    [],
    ({ view }, set) => set({}, view.degradations.some(({ what }) => what === 'journal') ? 0 : 1),
  );
  gauge(
    making,
    'vmpulse_journal_lost',
    '1 while what former runs recorded is gone or unreadable and nobody has resumed recovery since; recovery holds meanwhile.',
    [],
    ({ view }, set) => set({}, view.degradations.some(({ what }) => LOSSES.has(what)) ? 1 : 0),
  );
}

/** Degradations that mean it. */
const LOSSES: ReadonlySet<string> = new Set(['journal-lost', 'state']);

type Tally = EngineStats['outcomes'][number];

function sumByKind(
  outcomes: readonly Tally[],
  counts: (reason: Reason | 'ok') => boolean,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { kind, reason, count } of outcomes)
    sums.set(kind, (sums.get(kind) ?? 0) + (counts(reason) ? count : 0));
  return sums;
}

function isFailure(reason: Reason | 'ok'): reason is Reason {
  return reason !== 'ok' && REASON_CLASS[reason] !== 'inconclusive';
}

function makeCheckMetrics(making: Making): void {
  counter(
    making,
    'vmpulse_health_checks_total',
    'Probes that ended, whatever they said.',
    ['kind'],
    ({ stats }, add) => {
      for (const [kind, count] of sumByKind(stats.outcomes, () => true)) add({ kind }, count);
    },
  );
  counter(
    making,
    'vmpulse_health_checks_failed_total',
    'Probes that failed, by the class of their reason.',
    ['kind', 'class'],
    ({ stats }, add) => {
      for (const { kind, reason, count } of stats.outcomes) {
        if (isFailure(reason)) add({ kind, class: REASON_CLASS[reason] }, count);
      }
    },
  );
  counter(
    making,
    'vmpulse_health_checks_inconclusive_total',
    'Probes that could not tell, by reason; they move no threshold.',
    ['kind', 'reason'],
    ({ stats }, add) => {
      for (const { kind, reason, count } of stats.outcomes) {
        if (reason !== 'ok' && !isFailure(reason)) add({ kind, reason }, count);
      }
    },
  );
  new EngineHistogram({
    name: 'vmpulse_probe_duration_seconds',
    help: 'How long probes took, from start to verdict.',
    registers: making.registers,
    durations: () => making.read()?.stats.durations ?? [],
  });
}

// One label set for both, so that the one can be divided by the other.
function makeSeedMetrics(making: Making): void {
  counter(
    making,
    'vm_health_checks_total',
    'Same as vmpulse_health_checks_total.',
    ['kind'],
    ({ stats }, add) => {
      for (const [kind, count] of sumByKind(stats.outcomes, () => true)) add({ kind }, count);
    },
  );
  counter(making, 'vm_health_check_failed', 'Probes that failed, by kind.', ['kind'], ({ stats }, add) => {
    for (const [kind, count] of sumByKind(stats.outcomes, isFailure)) add({ kind }, count);
  });
}

function makeEngineMetrics(making: Making): void {
  gauge(making, 'vmpulse_engine_targets', 'Probes that the engine schedules.', [], ({ stats }, set) =>
    set({}, stats.targets),
  );
  gauge(making, 'vmpulse_engine_probes_in_flight', 'Probes under way.', [], ({ stats }, set) =>
    set({}, stats.inFlight),
  );
  counter(making, 'vmpulse_engine_probes_started_total', 'Probes begun.', [], ({ stats }, add) =>
    add({}, stats.probesStarted),
  );
  counter(
    making,
    'vmpulse_engine_transitions_coalesced_total',
    'Changes of state that a later one overtook before they were delivered.',
    [],
    ({ stats }, add) => add({}, stats.coalesced),
  );
  counter(
    making,
    'vmpulse_engine_reactor_panics_total',
    'Faults of the engine that it went on from by restarting a reactor.',
    [],
    ({ stats }, add) => add({}, stats.reactorPanics),
  );
  gauge(
    making,
    'vmpulse_engine_reactors_down',
    'Reactors that stay down after too many faults; their probes are blind until a restart.',
    [],
    ({ stats }, set) => set({}, stats.reactorsDown),
  );
  gauge(
    making,
    'vmpulse_engine_lateness_seconds',
    'How late probes started since the last scrape; quantile 1 is the latest.',
    ['quantile'],
    ({ stats }, set) => {
      const { p50, p99, max } = stats.latenessMs;
      for (const [quantile, ms] of [
        ['0.5', p50],
        ['0.99', p99],
        ['1', max],
      ] as const)
        set({ quantile }, ms / 1000);
    },
  );
}

function makeVmMetrics(making: Making): void {
  vmGauge(making, {
    name: 'vmpulse_vm_health',
    help: 'Always 1; the label says in which state of health the VM is.',
    label: 'state',
    measure: ({ health }, set) => set(1, health),
  });
  vmGauge(making, {
    name: 'vmpulse_vm_ready',
    help: '1 while the VM may stand in the list of endpoints.',
    measure: ({ ready }, set) => set(ready ? 1 : 0),
  });
  gauge(
    making,
    'vmpulse_edit_wars',
    'VMs that are left as others want them, because they undid what vmpulse did.',
    [],
    ({ view }, set) => set({}, view.vms.filter(({ editWarSinceMs }) => editWarSinceMs !== null).length),
  );
  gauge(making, 'vmpulse_vms', 'VMs watched, by state of health.', ['state'], ({ view }, set) => {
    const counts = countBy(view.vms, ({ health }) => health);
    for (const state of HEALTH_STATES) set({ state }, counts.get(state) ?? 0);
  });
}

function makeRecoveries({ registers, read }: Making): Counter<'step' | 'result'> {
  gauge({ registers, read }, 'vmpulse_recovery_holds', 'Holds on recovery in force.', [], ({ view }, set) =>
    set({}, view.holds.length),
  );
  const recoveries = new Counter({
    name: 'vmpulse_recoveries_total',
    help: 'Recovery actions that ended, by ladder step and result.',
    labelNames: ['step', 'result'],
    registers,
  });
  for (const step of LADDER_STEPS) for (const result of RESULTS) recoveries.inc({ step, result }, 0);
  return recoveries;
}
