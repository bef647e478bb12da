import { given } from '../model/given.js';
import { DEFAULT_TIMING, type ProbeRole, type ProbeTiming } from '../model/probe.js';
import { countField } from '../probes/fields.js';
import { formatDuration } from './duration.js';

const DAY_S = 86_400;
const DAY_MS = 86_400_000;
const MIN_PERIOD_MS = 50;

/** Timing fields of a probe: those of Kubernetes, and vmpulse's own in milliseconds. */
export const timingFields = {
  initialDelaySeconds: countField({ unit: 's', example: '120' }, 0, DAY_S).optional(),
  periodSeconds: countField({ unit: 's', example: '10' }, 1, DAY_S).optional(),
  periodMs: countField({ unit: 'ms', example: '500' }, MIN_PERIOD_MS, DAY_MS).optional(),
  timeoutSeconds: countField({ unit: 's', example: '1' }, 1, DAY_S).optional(),
  timeoutMs: countField({ unit: 'ms', example: '200' }, 1, DAY_MS).optional(),
  successThreshold: countField({ unit: 'count', example: '1' }, 1, 1000).optional(),
  failureThreshold: countField({ unit: 'count', example: '3' }, 1, 1000).optional(),
  retryPeriodMs: countField({ unit: 'ms', example: '500' }, MIN_PERIOD_MS, DAY_MS).optional(),
  downPeriodMs: countField({ unit: 'ms', example: '2000' }, MIN_PERIOD_MS, DAY_MS).optional(),
} as const;

/** Timing as it was written. */
export type WrittenTiming = { readonly [K in keyof typeof timingFields]?: number | undefined };

/** A rule that does not hold: the field, and the message. */
export type TimingConflict = readonly [field: keyof WrittenTiming, message: string];

function inMs(seconds: number | undefined, ms: number | undefined): number | undefined {
  return ms ?? (seconds === undefined ? undefined : seconds * 1000);
}

/**
 * Fills in the defaults. A time-out that was not given is 1 s, or half the period where the period is no longer than that.
 */
export function toTiming(written: WrittenTiming): ProbeTiming {
  const periodMs = inMs(written.periodSeconds, written.periodMs) ?? DEFAULT_TIMING.periodMs;
  const defaultTimeoutMs =
    periodMs > DEFAULT_TIMING.timeoutMs ? DEFAULT_TIMING.timeoutMs : Math.floor(periodMs / 2);
  const { retryPeriodMs, downPeriodMs } = written;
  return {
    initialDelayMs: inMs(written.initialDelaySeconds, undefined) ?? DEFAULT_TIMING.initialDelayMs,
    periodMs,
    timeoutMs: inMs(written.timeoutSeconds, written.timeoutMs) ?? defaultTimeoutMs,
    successThreshold: written.successThreshold ?? DEFAULT_TIMING.successThreshold,
    failureThreshold: written.failureThreshold ?? DEFAULT_TIMING.failureThreshold,
    ...given({ retryPeriodMs, downPeriodMs }),
  };
}

/** What probes get of the host that say nothing themselves. */
export interface ProbeDefaults {
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
  /** Pause between a failure and the next try while it is being confirmed; unset: the period. */
  readonly retryDelayMs?: number;
}

/**
 * As toTiming(), with the host's defaults. What is written stays: a default that does not go with it gives way, a
 * time-out by half the period.
 */
export function timingWithDefaults(
  written: WrittenTiming,
  host: ProbeDefaults,
  role: ProbeRole,
): ProbeTiming {
  const own = toTiming(written);
  const timeout = inMs(written.timeoutSeconds, written.timeoutMs);
  const hasPeriod = inMs(written.periodSeconds, written.periodMs) !== undefined;
  const periodMs = hasPeriod || host.periodMs <= (timeout ?? 0) ? own.periodMs : host.periodMs;
  const shortest = Math.min(periodMs, written.retryPeriodMs ?? periodMs, written.downPeriodMs ?? periodMs);
  const timeoutMs = timeout ?? (host.timeoutMs < shortest ? host.timeoutMs : Math.floor(shortest / 2));
  const retryMs = timeoutMs + (host.retryDelayMs ?? periodMs);
  const isOneNeeded = role === 'liveness' || role === 'startup';
  return {
    ...own,
    periodMs,
    timeoutMs,
    successThreshold: isOneNeeded
      ? own.successThreshold
      : (written.successThreshold ?? host.successThreshold),
    failureThreshold: written.failureThreshold ?? host.failureThreshold,
    ...(written.retryPeriodMs === undefined && retryMs < periodMs ? { retryPeriodMs: retryMs } : {}),
  };
}

/** Rules of PROBES between the fields of one probe. */
export function* timingConflicts(
  written: WrittenTiming,
  timing: ProbeTiming,
  role: ProbeRole,
): Iterable<TimingConflict> {
  if (written.periodSeconds !== undefined && written.periodMs !== undefined) {
    yield ['periodMs', 'cannot stand beside periodSeconds; keep one of them'];
  }
  if (written.timeoutSeconds !== undefined && written.timeoutMs !== undefined) {
    yield ['timeoutMs', 'cannot stand beside timeoutSeconds; keep one of them'];
  }
  const timeout = formatDuration(timing.timeoutMs);
  if (timing.timeoutMs >= timing.periodMs) {
    const field = written.timeoutMs === undefined ? 'timeoutSeconds' : 'timeoutMs';
    yield [
      field,
      `must be shorter than the period (${formatDuration(timing.periodMs)}), not ${timeout}; lower it or raise the period`,
    ];
  }
  for (const field of ['retryPeriodMs', 'downPeriodMs'] as const) {
    const periodMs = timing[field];
    if (periodMs === undefined || periodMs > timing.timeoutMs) continue;
    yield [
      field,
      `must be longer than the time-out (${timeout}), not ${formatDuration(periodMs)}; raise it or lower the time-out`,
    ];
  }
  if ((role === 'liveness' || role === 'startup') && timing.successThreshold !== 1) {
    yield ['successThreshold', `must be 1 for a ${role} probe, not ${timing.successThreshold}; remove it`];
  }
}
