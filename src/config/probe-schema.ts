import { z } from 'zod';
import type { DocumentKind, ProbeCheck, ProbeRole, ProbeSpec } from '../model/probe.js';
import { booleanField, textField } from '../probes/fields.js';
import { KIND_ENTRIES, PROBE_KINDS } from '../probes/registry.js';
import { orList } from './explain-issue.js';
import { KUBEVIRT_PROBE_FIELDS } from './kubevirt-names.js';
import { timingConflicts, timingFields, toTiming, type WrittenTiming } from './probe-timing.js';

type CheckField = z.ZodOptional<z.ZodType<ProbeCheck>>;

const checkFields = Object.fromEntries(
  KIND_ENTRIES.map(({ kind, schema }) => [kind, schema.optional()]),
) as Record<DocumentKind, CheckField>;

/** The kinds that every document can name: those that KubeVirt has, too. */
const COMMON_KINDS = orList(
  KIND_ENTRIES.map(({ kind }) => kind).filter((kind) => KUBEVIRT_PROBE_FIELDS.has(kind)),
);

const commonFields = {
  ...timingFields,
  enabled: booleanField.optional(),
  weight: z.number().min(0).max(1000).meta({ unit: 'number', example: '1' }).optional(),
  critical: booleanField.optional(),
  ...checkFields,
} as const;

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const probeNameField = textField({ unit: 'name', example: 'ssh' }, (text) =>
  NAME.test(text)
    ? undefined
    : `is not a probe name ("${text}"); use up to 63 lower-case letters, digits and -`,
);

type Written = WrittenTiming & {
  readonly enabled?: boolean | undefined;
  readonly weight?: number | undefined;
  readonly critical?: boolean | undefined;
} & { readonly [K in DocumentKind]?: ProbeCheck | undefined };

type Refuse = (path: readonly string[], message: string) => void;

function theCheck(written: Written, refuse: Refuse): ProbeCheck | undefined {
  const checks = KIND_ENTRIES.flatMap(({ kind }) => written[kind] ?? []);
  const [check, second] = checks;
  if (check === undefined) {
    refuse([], `has no test; add ${COMMON_KINDS}`);
  } else if (second !== undefined) {
    const kinds = checks.map(({ kind }) => kind).join(' and ');
    refuse(
      [second.kind],
      `is a further test in one probe (${kinds}); keep one, write the other as a probe of its own`,
    );
  }
  return check;
}

/** A probe as it was written: what it does not say of its timing is the host's to say. */
export interface WrittenProbe extends ProbeSpec {
  readonly written: WrittenTiming;
}

function toSpec(written: Written, name: string, role: ProbeRole, refuse: Refuse): WrittenProbe | undefined {
  const check = theCheck(written, refuse);
  const timing = toTiming(written);
  for (const [field, message] of timingConflicts(written, timing, role)) refuse([field], message);
  if (check === undefined) return undefined;
  if (check.kind !== 'custom' && PROBE_KINDS[check.kind].evidenceOnly)
    refuseDeciding(written, role, check.kind, refuse);
  if (check.kind === 'vmmProcess' && written.enabled === false)
    refuse(
      ['enabled'],
      'cannot be false: without vmmProcess nobody sees that the VMM is gone; remove the field',
    );
  return {
    name,
    role,
    check,
    timing,
    written: pickTiming(written),
    enabled: written.enabled ?? true,
    weight: written.weight ?? 1,
    critical: written.critical ?? role === 'liveness',
  };
}

function pickTiming(written: WrittenTiming): WrittenTiming {
  return Object.fromEntries(
    Object.entries(written).filter(([key, value]) => Object.hasOwn(timingFields, key) && value !== undefined),
  );
}

function refuseDeciding(written: Written, role: ProbeRole, kind: DocumentKind, refuse: Refuse): void {
  const why = 'is evidence beside other probes and decides nothing alone';
  if (role !== 'check') refuse([kind], `${why}; give it no role, in spec.probes`);
  else if (written.critical) refuse(['critical'], `cannot be true: ${kind} ${why}; remove it`);
}

function refuseInto(ctx: z.core.$RefinementCtx): Refuse {
  return (path, message) => ctx.addIssue({ code: 'custom', message, path: [...path] });
}

/** A probe in a field of its own, such as `readinessProbe`; its name is its role. */
export function roleProbeSchema(role: Exclude<ProbeRole, 'check'>) {
  return z
    .strictObject(commonFields)
    .transform((written, ctx): WrittenProbe => toSpec(written, role, role, refuseInto(ctx)) ?? z.NEVER);
}

/** A probe in a list, with a name and by default no Kubernetes role. */
export const namedProbeSchema = z
  .strictObject({
    name: probeNameField,
    role: z
      .enum(['check', 'readiness', 'liveness', 'startup'])
      .meta({ unit: 'choice', example: 'check' })
      .optional(),
    ...commonFields,
  })
  .transform(
    (written, ctx): WrittenProbe =>
      toSpec(written, written.name, written.role ?? 'check', refuseInto(ctx)) ?? z.NEVER,
  );

/** The probes that every QEMU VM gets unless its document has one of that kind. */
export const DEFAULT_PROBES: readonly ProbeSpec[] = [
  {
    name: 'vmm-process',
    role: 'check',
    check: { kind: 'vmmProcess' },
    timing: { ...toTiming({ periodMs: 1000 }), failureThreshold: 2 },
    enabled: true,
    weight: 1,
    critical: true,
  },
  {
    name: 'vm-state',
    role: 'check',
    check: { kind: 'vmState' },
    timing: toTiming({ periodSeconds: 5, timeoutSeconds: 2 }),
    enabled: true,
    weight: 1,
    // A silent monitor alone degrades a VM, it does not make it unhealthy: a backup tool may hold it.
    critical: false,
  },
];
