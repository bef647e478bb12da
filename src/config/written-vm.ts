import type { ProbeSpec, ProbeTiming } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import type { BoundVm } from './bind-vm.js';
import { isMapping, leavesOf, type Mapping, valueAt } from './mapping.js';
import { monitoringDocument } from './monitoring.js';

/** What documents and overrides write of a VM that can be changed while it runs, where the VM itself does not tell. */
export interface WrittenVm {
  readonly runStrategy: boolean;
  /** By their paths, for example `readinessProbe` or `probes.web`; vmpulse's own are not among them. */
  readonly probes: ReadonlyMap<string, Mapping>;
  readonly monitoring?: Mapping;
}

/** A value as a document has it, and who said it. */
interface Said {
  readonly path: string;
  readonly value: unknown;
  readonly origin: string;
}

export const BY_DEFAULT = 'default';
const BY_DOCUMENTS = 'documents';

const ROLE_PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;
const TEMPLATE = ['spec', 'template', 'spec'] as const;

export function writtenVm({ manifest, host }: BoundVm): WrittenVm {
  const spec = valueAt(host.document.value, ['spec']);
  const list = valueAt(spec, ['probes']);
  const probes = new Map<string, Mapping>();
  for (const name of ROLE_PROBES) {
    const found = valueAt(spec, [name]) ?? valueAt(manifest.document.value, [...TEMPLATE, name]);
    if (isMapping(found)) probes.set(name, found);
  }
  for (const each of Array.isArray(list) ? list : [])
    if (isMapping(each)) probes.set(`probes.${String(each.name)}`, each);
  const monitoring = valueAt(spec, ['monitoring']);
  return {
    runStrategy: manifest.runStrategy !== undefined,
    probes,
    ...(isMapping(monitoring) ? { monitoring } : {}),
  };
}

/** The values of a VM but for recovery. `host`: where the daemon's configuration writes its values, by their paths. */
export function saidOfVm(spec: VmSpec, written: WrittenVm, host: Readonly<Record<string, string>>): Said[] {
  const { runStrategy, address, maintenance = [], probes } = spec;
  const { monitoring } = written;
  return [
    {
      path: 'runStrategy',
      value: runStrategy,
      origin: written.runStrategy ? BY_DOCUMENTS : BY_DEFAULT,
    },
    ...(address === undefined ? [] : [{ path: 'address', value: address, origin: BY_DOCUMENTS }]),
    ...maintenance.map(({ name, schedule, do: work }) => ({
      path: `maintenance.${name}`,
      value: { schedule, ...(typeof work === 'string' ? { do: work } : { command: work.command }) },
      origin: BY_DOCUMENTS,
    })),
    ...probes.flatMap((probe) => probeValues(probe, written, host)),
    ...(monitoring === undefined ? [] : monitoringValues(monitoring)),
  ];
}

function monitoringValues(written: Mapping): Said[] {
  return leavesOf({ monitoring: monitoringDocument(written) }).map(([path, value]) => ({
    path,
    value,
    origin: valueAt({ monitoring: written }, path.split('.')) === undefined ? BY_DEFAULT : BY_DOCUMENTS,
  }));
}

/** How a probe is written; undefined: no document has it, it is one of vmpulse's own. */
function placeOf(
  { name, role }: ProbeSpec,
  { probes }: WrittenVm,
): readonly [path: string, written?: Mapping] {
  const ofRole = `${role}Probe`;
  const path = name === role && probes.has(ofRole) ? ofRole : `probes.${name}`;
  const written = probes.get(path);
  return written === undefined ? [path] : [path, written];
}

function probeValues(probe: ProbeSpec, vm: WrittenVm, host: Readonly<Record<string, string>>): Said[] {
  const [top, written] = placeOf(probe, vm);
  // The probes of a level of monitoring have no names that anybody could write: their level has.
  if (written === undefined && probe.name.startsWith('monitoring-')) return [];
  const { role, check, timing, enabled, weight, critical } = probe;
  const { initialDelayMs, ...rest } = timing;
  const ofList = top.startsWith('probes.') ? { role } : {};
  const values = {
    ...ofList,
    enabled,
    weight,
    critical,
    initialDelaySeconds: initialDelayMs / 1000,
    ...rest,
  };
  const originOf = (name: string) => {
    if (written === undefined) return BY_DEFAULT;
    if ([name, ...(TWINS[name] ?? [])].some((each) => each in written)) return BY_DOCUMENTS;
    const isFixed = name === 'successThreshold' && (role === 'liveness' || role === 'startup');
    return (isFixed ? undefined : host[HOST_TIMING[name] ?? '']) ?? BY_DEFAULT;
  };
  return [
    {
      path: `${top}.${check.kind}`,
      value: written?.[check.kind] ?? {},
      origin: written === undefined ? BY_DEFAULT : BY_DOCUMENTS,
    },
    ...Object.entries(values).map(([name, value]) => ({
      path: `${top}.${name}`,
      value,
      origin: originOf(name),
    })),
  ];
}

/** Names of the same value in another unit. */
const TWINS: Readonly<Record<string, readonly string[]>> = {
  periodMs: ['periodSeconds'],
  timeoutMs: ['timeoutSeconds'],
};

/** What of the host's configuration a probe gets that says nothing itself. */
const HOST_TIMING: Readonly<Record<string, string>> = {
  periodMs: 'probes.period',
  timeoutMs: 'probes.timeout',
  successThreshold: 'probes.successThreshold',
  failureThreshold: 'probes.failureThreshold',
  retryPeriodMs: 'probes.retryDelay',
} satisfies Readonly<Partial<Record<keyof ProbeTiming, string>>>;
