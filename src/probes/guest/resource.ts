import { z } from 'zod';
import { given } from '../../model/given.js';
import type { GuestAccess } from '../../model/guest.js';
import { plainText } from '../../model/plain-text.js';
import { type ProbeCheck, RESOURCES, type Resource, type ResourceOptions } from '../../model/probe.js';
import type { ExternalProbe, Finding, LookOptions } from '../external.js';
import { textField } from '../fields.js';
import { defineKind } from '../probe-kind.js';
import { AGENT_TARGET, parseAgentTarget } from './agent-target.js';
import { judgeResources } from './judge-resources.js';
import { findingOf, neededGuest } from './outcome.js';

type ResourceCheck = Extract<ProbeCheck, { kind: 'resource' }>;

const MAX_MOUNTS = 64;

/** Who writes no limits gets these. */
const DEFAULT_LIMITS: ResourceOptions['limits'] = {
  disk: { warning: 80, critical: 95 },
  inodes: { warning: 80, critical: 95 },
  memory: { warning: 85, critical: 95 },
  cpu: { warning: 90, critical: 98 },
  ioWait: { warning: 30, critical: 60 },
  load: { warning: 2, critical: 4 },
};
const DEFAULT_CHECKS: readonly Resource[] = ['disk', 'inodes', 'memory', 'cpu'];

/** Limits of one resource as documents write them; what is not written has its default. */
export function limitsField(resource: Resource, unit: string, max: number) {
  const { warning, critical } = DEFAULT_LIMITS[resource];
  const value = (example: number) =>
    z
      .number()
      .min(0)
      .max(max)
      .meta({ unit, example: String(example) });
  return z
    .strictObject({ warning: value(warning).optional(), critical: value(critical).optional() })
    .superRefine((written, ctx) => {
      const limits = { ...DEFAULT_LIMITS[resource], ...given(written) };
      if (limits.warning <= limits.critical) return;
      const path = written.warning === undefined ? ['critical'] : ['warning'];
      const message = `lets the warning (${limits.warning}) come after the failure (${limits.critical}); swap or change them`;
      ctx.addIssue({ code: 'custom', message, path, input: written });
    })
    .transform((written) => ({ ...DEFAULT_LIMITS[resource], ...given(written) }))
    .optional();
}

const mountField = textField({ unit: 'mount point', example: '/var/lib/*' }, (text) =>
  text === '' || text.length > 255 || text.split('*').length > 4
    ? 'is not a pattern of mount points; write up to 255 characters with at most three *'
    : undefined,
);

const resourceSchema = z
  .strictObject({
    checks: z
      .array(z.enum(RESOURCES))
      .min(1)
      .max(RESOURCES.length)
      .meta({ unit: 'list of resources', example: '[disk, memory]' })
      .optional(),
    mounts: z
      .array(mountField)
      .min(1)
      .max(MAX_MOUNTS)
      .meta({ unit: 'list of mount points', example: '[/, /var/lib/*]' })
      .optional(),
    disk: limitsField('disk', 'percent', 100),
    inodes: limitsField('inodes', 'percent', 100),
    memory: limitsField('memory', 'percent', 100),
    cpu: limitsField('cpu', 'percent', 100),
    ioWait: limitsField('ioWait', 'percent', 100),
    load: limitsField('load', 'tasks a processor', 10_000),
  })
  .transform(({ checks = DEFAULT_CHECKS, mounts, ...limits }): ResourceOptions => {
    const limitOf = (resource: Resource) => limits[resource] ?? DEFAULT_LIMITS[resource];
    return {
      checks,
      ...given({ mounts }),
      limits: {
        disk: limitOf('disk'),
        inodes: limitOf('inodes'),
        memory: limitOf('memory'),
        cpu: limitOf('cpu'),
        ioWait: limitOf('ioWait'),
        load: limitOf('load'),
      },
    };
  });

/** Asks the guest, through its agent, what it has used up; failed when something is over its critical limit. */
export const resource = defineKind<ResourceCheck>({
  kind: 'resource',
  aliases: ['resources'],
  summary: 'asks the guest through its agent what of disks, memory and processors it has used up',
  targetHelp: AGENT_TARGET,
  schema: resourceSchema.transform((options): ResourceCheck => ({ kind: 'resource', resource: options })),
  parseTarget: (text, name) => ({
    check: { kind: 'resource', resource: { checks: DEFAULT_CHECKS, limits: DEFAULT_LIMITS } },
    channel: parseAgentTarget(text, name),
  }),
  lookups: () => ({ channel: 'agent' }),
  open: ({ resource: options }, { guest }) => new ResourceProbe(options, neededGuest(guest)),
  label: ({ resource: { checks } }) => `resources ${plainText(checks.join(', '))}`,
});

class ResourceProbe implements ExternalProbe {
  readonly #options: ResourceOptions;
  readonly #guest: GuestAccess;

  constructor(options: ResourceOptions, guest: GuestAccess) {
    this.#options = options;
    this.#guest = guest;
  }

  async probe(options: LookOptions): Promise<Finding> {
    try {
      return judgeResources(await this.#guest.resources(options), this.#options);
    } catch (error) {
      return findingOf(error);
    }
  }
}
