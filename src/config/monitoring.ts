import { z } from 'zod';
import { given } from '../model/given.js';
import { booleanField, countField } from '../probes/fields.js';
import { limitsField } from '../probes/guest/resource.js';
import type { Mapping } from './mapping.js';
import { namedProbeSchema, type WrittenProbe } from './probe-schema.js';

/** What can be looked at, beside the hypervisor's process and run state that every VM's are. */
export const MONITORING_CHECKS = ['connectivity', 'ssh', 'disk', 'memory', 'cpu', 'logs'] as const;

type Check = (typeof MONITORING_CHECKS)[number];

interface Level {
  readonly periodSeconds: number;
  readonly checks: readonly Check[];
}

const LEVELS = {
  basic: { periodSeconds: 600, checks: ['connectivity'] },
  standard: { periodSeconds: 300, checks: ['connectivity', 'ssh', 'disk'] },
  advanced: { periodSeconds: 120, checks: MONITORING_CHECKS },
} as const satisfies Readonly<Record<string, Level>>;

const PANICS = 'Kernel panic|Out of memory: Killed|I/O error|EXT4-fs error|BUG: soft lockup';

const MIN_PERIOD_S = 30;
const DAY_S = 86_400;
const TIMEOUT_S = 10;
const RETRY_MS = 30_000;

/** A named set of probes, as the host document asks for it. */
export const monitoringSchema = z.strictObject({
  level: z.enum(['basic', 'standard', 'advanced']).meta({ unit: 'choice', example: 'standard' }).optional(),
  periodSeconds: countField({ unit: 's', example: '300' }, MIN_PERIOD_S, DAY_S).optional(),
  checks: z
    .strictObject({
      connectivity: booleanField.optional(),
      ssh: booleanField.optional(),
      disk: booleanField.optional(),
      memory: booleanField.optional(),
      cpu: booleanField.optional(),
      logs: booleanField.optional(),
    })
    .optional(),
  connectivityTimeoutSeconds: countField({ unit: 's', example: '10' }, 1, MIN_PERIOD_S * 2).optional(),
  disk: limitsField('disk', 'percent', 100),
  memory: limitsField('memory', 'percent', 100),
  cpu: limitsField('cpu', 'percent', 100),
});

export type WrittenMonitoring = z.output<typeof monitoringSchema>;

/** The probes of a level. They are named `monitoring-…`, have no role, and decide nothing by themselves. */
export function monitoringProbes(written: WrittenMonitoring): WrittenProbe[] {
  const { level = 'standard', periodSeconds, checks = {}, connectivityTimeoutSeconds = TIMEOUT_S } = written;
  const profile: Level = LEVELS[level];
  const period = periodSeconds ?? profile.periodSeconds;
  const isOn = (name: Check) => checks[name] ?? profile.checks.includes(name);
  const { disk, memory, cpu } = written;
  const used = [...(isOn('memory') ? ['memory'] : []), ...(isOn('cpu') ? ['cpu', 'ioWait', 'load'] : [])];
  const pingSeconds = Math.min(connectivityTimeoutSeconds, Math.floor(period / 2));
  return [
    ...(isOn('connectivity')
      ? [
          {
            name: 'connectivity',
            icmp: { count: 3 },
            timeoutSeconds: pingSeconds,
            retryPeriodMs: retry(pingSeconds),
          },
        ]
      : []),
    ...(isOn('ssh') ? [{ name: 'ssh', ssh: { level: 'banner' } }] : []),
    ...(isOn('disk') ? [{ name: 'disk', resource: { checks: ['disk', 'inodes'], ...given({ disk }) } }] : []),
    ...(used.length > 0
      ? [{ name: 'resources', resource: { checks: used, ...given({ memory, cpu }) } }]
      : []),
    ...(isOn('logs') ? [{ name: 'logs', console: { notSeen: PANICS } }] : []),
  ].map(({ name, ...probe }) =>
    namedProbeSchema.parse({
      name: `monitoring-${name}`,
      // A slow answer is an answer; a failure is looked at again soon.
      timeoutSeconds: TIMEOUT_S,
      failureThreshold: 2,
      retryPeriodMs: RETRY_MS,
      periodSeconds: period,
      ...probe,
    }),
  );
}

/** All of it, as the host document would write it. `written` is valid. */
export function monitoringDocument(written: Mapping): Mapping {
  const { level = 'standard', periodSeconds, checks = {}, ...rest } = monitoringSchema.parse(written);
  const profile: Level = LEVELS[level];
  const isOn = (name: Check) => checks[name] ?? profile.checks.includes(name);
  return {
    connectivityTimeoutSeconds: TIMEOUT_S,
    ...rest,
    level,
    periodSeconds: periodSeconds ?? profile.periodSeconds,
    checks: Object.fromEntries(MONITORING_CHECKS.map((name) => [name, isOn(name)])),
  };
}

/** Longer than the time-out. */
function retry(timeoutSeconds: number): number {
  return Math.max(RETRY_MS, timeoutSeconds * 1000 + 1000);
}
