import { Counter, type PrometheusContentType, Registry } from 'prom-client';
import type { EngineStats } from '../../engine/probe-engine.js';
import type { ActionResult, LadderStep } from '../../model/action.js';
import type { HookEvent } from '../../model/hook.js';
import type { VmId } from '../../model/vm.js';
import type { HostFigures, VmFigures } from '../views.js';
import { makeCheckMetrics } from './check-metrics.js';
import { makeEngineMetrics } from './engine-metrics.js';
import { makeFleetMetrics, makeRecoveries } from './fleet-metrics.js';
import { type HookOutcome, makeHookMetrics } from './hook-metrics.js';
import type { Making, Read, Reading } from './making.js';
import { makeNotifyMetrics, type NotifyMetrics } from './notify-metrics.js';
import type { Encoding } from './pages-thread.js';
import { makeProcessMetrics, makeReconcileDurations } from './process-metrics.js';
import { Renderer } from './renderer.js';
import { SeedNames } from './seed-metrics.js';
import type { VmRow } from './vm-row.js';

export interface MetricsOptions {
  /** Where the metrics of host and engine are registered; default a registry of their own. Never the global one. */
  readonly registry?: Registry<PrometheusContentType>;
  /** Also the names of older dashboards: vm_health_*, virt_platform_*, kubevirt_autopilot_*; default false. */
  readonly seedNames?: boolean;
}

/** What the metrics are read from at each scrape. */
interface MetricsSource {
  readonly engineStats: () => EngineStats;
  readonly hostFigures: () => HostFigures;
  /** VMs of which something may have changed since it was asked last; undefined: any, and which there are. */
  readonly changedVms: () => ReadonlySet<VmId> | undefined;
  /** Of these VMs; undefined: of all. */
  readonly vmFigures: (only: ReadonlySet<VmId> | undefined) => Iterable<VmFigures>;
  /** Shows that the metrics work only in part; undefined: they work. */
  readonly degrade: (why: string | undefined) => void;
}

/** The metrics of one runtime; docs/reference/metrics.md lists them. */
export interface Metrics extends NotifyMetrics {
  /** Says where to read; until then, and once the source is closed, `vmpulse_up` is 0. */
  bind(source: MetricsSource): void;
  /** Counts one recovery that ended. */
  recovery(step: LadderStep, result: ActionResult['result']): void;
  /** Counts one run of a hook, or one that was left out because too many waited. */
  hook(event: HookEvent, result: HookOutcome): void;
  /** Counts one time that vmpulse waited, or gave in, because others undid what it did. */
  thrash(vm: VmId): void;
  /** Counts one sending of the metrics that ended. */
  pushed(result: 'sent' | 'failed'): void;
  /** Whether the names of older dashboards are there, too, from the next scrape on. */
  useSeedNames(wanted: boolean): void;
  /** Notes how long it took to bring a changed configuration into force. */
  reconciled(seconds: number): void;
  /**
   * What is in the registry and the metrics of all VMs, in the text format of Prometheus. The VMs' are made by a thread
   * of their own; `vmpulse_vm_series_available` is 0 where they are missing. Rejects with ERR_VMPULSE_CLOSED.
   */
  render(encoding: Encoding): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Makes the metrics. They cost nothing between scrapes: all but what is counted here is read when asked for. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { registry = new Registry() } = options;
  let source: MetricsSource | undefined;
  let reading: Reading | undefined;
  const thrashes = new Map<VmId, number>();

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
  makeEngineMetrics(making);
  makeFleetMetrics(making);
  const durations = makeReconcileDurations(making);
  const seeds = new SeedNames(making);
  seeds.use(options.seedNames ?? false);
  const recoveries = makeRecoveries(making);
  const hooks = makeHookMetrics(making);
  const telling = makeNotifyMetrics(making);
  const pushes = makePushes(making);
  const renderer = new Renderer({
    head: () => registry.metrics(),
    changed: () => source?.changedVms(),
    rows: (only) => rowsOf(source, thrashes, only),
    seedNames: () => seeds.areUsed,
    onMissing: (why) => source?.degrade(why),
  });
  makeRestarts(making, renderer);

  return {
    bind: (next) => {
      source = next;
    },
    recovery: (step, result) => recoveries.inc({ step, result }),
    hook: (event, result) => hooks.inc({ event, result }),
    ...telling,
    thrash: (vm) => thrashes.set(vm, (thrashes.get(vm) ?? 0) + 1),
    pushed: (result) => pushes.inc({ result }),
    reconciled: (seconds) => {
      durations.observe(seconds);
      seeds.reconciled(seconds);
    },
    useSeedNames: (wanted) => seeds.use(wanted),
    render: (encoding) => renderer.render(encoding),
    close: () => renderer.close(),
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

function readVms(
  source: MetricsSource | undefined,
  only: ReadonlySet<VmId> | undefined,
): Iterable<VmFigures> {
  try {
    return source?.vmFigures(only) ?? [];
  } catch {
    return [];
  }
}

function* rowsOf(
  source: MetricsSource | undefined,
  thrashes: Map<VmId, number>,
  only: ReadonlySet<VmId> | undefined,
): Generator<VmRow, void, undefined> {
  const left = new Set(only === undefined ? thrashes.keys() : []);
  for (const figures of readVms(source, only)) {
    left.delete(figures.id);
    yield { ...figures, thrashes: thrashes.get(figures.id) ?? 0 };
  }
  for (const id of left) thrashes.delete(id);
}

function makePushes({ registers }: Making): Counter<'result'> {
  const pushes = new Counter({
    name: 'vmpulse_metrics_pushes_total',
    help: 'Times that the metrics were sent by remote write, or could not be.',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['sent', 'failed']) pushes.inc({ result }, 0);
  return pushes;
}

function makeRestarts({ registers }: Making, renderer: Renderer): void {
  new Counter({
    name: 'vmpulse_metrics_thread_restarts_total',
    help: 'Threads of the metrics of VMs that failed or were late, and were replaced.',
    registers,
    collect() {
      this.reset();
      this.inc(renderer.restarts);
    },
  });
}
