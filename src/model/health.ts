/** Health of a VM (docs/reference/policy.md has the state diagram). */
export const HEALTH_STATES = [
  'unknown',
  'starting',
  'healthy',
  'degraded',
  'unhealthy',
  'recovering',
  'quarantined',
  'maintenance',
  'stopped',
  'paused',
] as const;

export type HealthState = (typeof HEALTH_STATES)[number];

/** What a failure means. */
export const DIAGNOSES = [
  'vmm-dead',
  'guest-hung',
  'network',
  'service',
  'vmm-stopped',
  'vmm-wedged',
  'storage',
  'host-memory',
  'resource',
  'shared-cause',
  'observer',
  'intended',
] as const;

export type DiagnosisKind = (typeof DIAGNOSES)[number];

/** The evidence that decided a diagnosis, finer than its kind. */
export const DIAGNOSIS_CAUSES = [
  'process-gone',
  'process-stopped',
  'guest-panicked',
  'watchdog-expired',
  'all-paths-dead',
  'service-unreachable',
  'network-unreachable',
  'link-broken',
  'link-lost',
  'agent-unreachable',
  'api-silent',
  'disk-io-error',
  'disk-full',
  'over-threshold',
  'scheduled',
  'out-of-memory',
  'many-at-once',
  'prober-blind',
  'guest-shutdown',
  'operator-stop',
] as const;

export type DiagnosisCause = (typeof DIAGNOSIS_CAUSES)[number];

export interface Diagnosis {
  readonly kind: DiagnosisKind;
  readonly cause: DiagnosisCause;
  /** What was seen, in the order it was seen. */
  readonly evidence: readonly Evidence[];
}

export interface Evidence {
  readonly atMs: number;
  /** Probe name, `vmm-event`, `process`, `operator`. */
  readonly source: string;
  /** A sentence fragment for a person, already free of control characters. */
  readonly text: string;
}
