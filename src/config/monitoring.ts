import { z } from 'zod';
import { countField } from '../probes/fields.js';
import { namedProbeSchema, type WrittenProbe } from './probe-schema.js';

/** What a level looks at, beside the hypervisor's process and run state that every VM's are. */
const CHECKS = {
  connectivity: { icmp: { count: 3 } },
  ssh: { ssh: { level: 'banner' } },
  disk: { resource: { checks: ['disk', 'inodes'] } },
  resources: { resource: { checks: ['memory', 'cpu', 'ioWait', 'load'] } },
  logs: {
    console: { notSeen: 'Kernel panic|Out of memory: Killed|I/O error|EXT4-fs error|BUG: soft lockup' },
  },
} as const;

type Check = keyof typeof CHECKS;

interface Level {
  readonly periodSeconds: number;
  readonly checks: readonly Check[];
}

const BASIC = ['connectivity'] as const;
const STANDARD = [...BASIC, 'ssh', 'disk'] as const;
const LEVELS = {
  basic: { periodSeconds: 600, checks: BASIC },
  standard: { periodSeconds: 300, checks: STANDARD },
  advanced: { periodSeconds: 120, checks: [...STANDARD, 'resources', 'logs'] },
} as const satisfies Readonly<Record<string, Level>>;

/** A slow answer is an answer; a failure is looked at again soon. */
const TIMING = { timeoutSeconds: 10, failureThreshold: 2, retryPeriodMs: 30_000 };
const MIN_PERIOD_S = 30;
const DAY_S = 86_400;

/** A named set of probes, as the host document asks for it. */
export const monitoringSchema = z
  .strictObject({
    level: z.enum(['basic', 'standard', 'advanced']).meta({ unit: 'choice', example: 'standard' }),
    periodSeconds: countField({ unit: 's', example: '300' }, MIN_PERIOD_S, DAY_S).optional(),
    disable: z
      .array(z.enum(['connectivity', 'ssh', 'disk', 'resources', 'logs']))
      .max(8)
      .meta({ unit: 'list of checks', example: '[ssh]' })
      .optional(),
  })
  .superRefine(({ level, disable = [] }, ctx) => {
    const { checks }: Level = LEVELS[level];
    disable.forEach((name, index) => {
      if (checks.includes(name)) return;
      const message = `is no check of the level ${level} (${checks.join(', ')}); remove it`;
      ctx.addIssue({ code: 'custom', message, path: ['disable', index] });
    });
  });

export type WrittenMonitoring = z.output<typeof monitoringSchema>;

/** The probes of a level. They are named `monitoring-…`, have no role, and decide nothing by themselves. */
export function monitoringProbes({ level, periodSeconds, disable = [] }: WrittenMonitoring): WrittenProbe[] {
  const profile: Level = LEVELS[level];
  const timing = { ...TIMING, periodSeconds: periodSeconds ?? profile.periodSeconds };
  return profile.checks
    .filter((name) => !disable.includes(name))
    .map((name) => namedProbeSchema.parse({ name: `monitoring-${name}`, ...timing, ...CHECKS[name] }));
}
