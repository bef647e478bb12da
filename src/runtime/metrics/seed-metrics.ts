import { Histogram, Registry } from 'prom-client';
import { isFailure, sumByKind } from './check-metrics.js';
import { counter, gauge, type Making } from './making.js';
import { DEPENDENCIES, isMissing, RECONCILE_BUCKETS } from './process-metrics.js';
import { SEED_PREFIXES } from './vm-families.js';

/** The configuration is brought into force as a whole, so it is one object. */
const CONFIGURATION = { kind: 'Configuration', name: 'vmpulse', namespace: '' };

/** The names of older dashboards, as far as they are not of single VMs; they come and go while all others stay. */
export class SeedNames {
  readonly #making: Making;
  /** What there is of them, beside the others. */
  readonly #own = new Registry();
  #reconciled: ((seconds: number) => void) | undefined;

  constructor(making: Making) {
    this.#making = making;
  }

  get areUsed(): boolean {
    return this.#reconciled !== undefined;
  }

  use(wanted: boolean): void {
    if (wanted === this.areUsed) return;
    const { registers, read } = this.#making;
    if (wanted) {
      this.#reconciled = makeSeedMetrics({ registers: [...registers, this.#own], read });
      return;
    }
    for (const { name } of this.#own.getMetricsAsArray())
      for (const registry of registers) registry.removeSingleMetric(name);
    this.#own.clear();
    this.#reconciled = undefined;
  }

  /** Notes how long a reload took. */
  reconciled(seconds: number): void {
    this.#reconciled?.(seconds);
  }
}

/** Returns what notes how long a reload took. */
function makeSeedMetrics(making: Making): (seconds: number) => void {
  makeSeedChecks(making);
  const durations = SEED_PREFIXES.map((prefix) => {
    makeSeedDependencies(making, prefix);
    const histogram = new Histogram({
      name: `${prefix}_reconcile_duration_seconds`,
      help: 'Reconciliation latency; as vmpulse_reconcile_duration_seconds.',
      labelNames: ['kind', 'name', 'namespace'],
      buckets: RECONCILE_BUCKETS,
      registers: making.registers,
    });
    // There from the start, so that a first one is an increase.
    histogram.zero(CONFIGURATION);
    return histogram;
  });
  return (seconds) => {
    for (const histogram of durations) histogram.observe(CONFIGURATION, seconds);
  };
}

// One label set for both, so that the one can be divided by the other.
function makeSeedChecks(making: Making): void {
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

function makeSeedDependencies(making: Making, prefix: string): void {
  gauge(
    making,
    `${prefix}_missing_dependency`,
    '1=missing, 0=present; as vmpulse_dependency_missing.',
    ['group', 'version', 'kind'],
    ({ view }, set) => {
      for (const kind of DEPENDENCIES)
        set({ group: 'vmpulse.dev', version: 'v1', kind }, isMissing(view.degradations, kind));
    },
  );
}
