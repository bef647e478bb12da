/** A setting of another health monitor, and ours that does the same. */
export interface MonitorSetting {
  /** Below `health_monitor`. */
  readonly name: string;
  readonly path: string;
  /** Our value for theirs. */
  readonly toOurs: (value: unknown) => unknown;
  /** Theirs for ours. */
  readonly toTheirs: (value: unknown) => unknown;
}

const same = (value: unknown) => value;
/** Retries come after the first failure, which our threshold counts. */
const plus = (by: number) => (value: unknown) => (typeof value === 'number' ? value + by : value);

const TABLE: readonly (readonly [name: string, path: string])[] = [
  ['interval', 'probes.period'],
  ['timeout', 'probes.timeout'],
  ['max_concurrent_checks', 'engine.maxInFlight'],
  ['retries', 'probes.failureThreshold'],
  ['retry_delay', 'probes.retryDelay'],
  ['failure_threshold', 'recovery.breaker.failures'],
  ['recovery_timeout', 'recovery.breaker.hold'],
  ['log_level', 'logLevel'],
];

/** Blixard's `health_monitor`, by which its users know these settings. */
export const MONITOR_SETTINGS: readonly MonitorSetting[] = TABLE.map(([name, path]) => {
  const [toOurs, toTheirs] = name === 'retries' ? [plus(1), plus(-1)] : [same, same];
  return { name, path, toOurs, toTheirs };
});
