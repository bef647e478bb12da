import { matchesGlob } from '../../model/glob.js';
import type { GuestDisk, GuestResources } from '../../model/guest.js';
import type { Resource, ResourceOptions } from '../../model/probe.js';
import type { FailureReason } from '../../model/reasons.js';
import type { Finding } from '../external.js';

/** Those that hold nothing for long. */
const IN_MEMORY = new Set(['tmpfs', 'ramfs']);

const REASON: Readonly<Record<Resource, FailureReason>> = {
  disk: 'disk',
  inodes: 'disk',
  memory: 'memory',
  cpu: 'cpu',
  ioWait: 'io-wait',
  // There is more to do than processors to do it.
  load: 'cpu',
};

/** One measured value: percent, or tasks a processor. */
interface Measure {
  readonly resource: Resource;
  readonly value: number;
  readonly text: string;
}

/** What the resources of a guest amount to. A resource that the guest cannot tell is named, and inconclusive when all are. */
export function judgeResources(resources: GuestResources, options: ResourceOptions): Finding {
  const measures = options.checks.flatMap((resource) => measure(resource, resources, options));
  const unknown = options.checks.filter((one) => !measures.some(({ resource }) => resource === one));
  const over = (limit: 'warning' | 'critical') =>
    measures.filter(({ resource, value }) => value >= options.limits[resource][limit]);
  const worst = over('critical');
  const details = detailsOf(measures);
  const [first] = worst;
  if (first !== undefined) {
    const outcome = { result: 'failed', reason: REASON[first.resource] } as const;
    return { outcome, message: textOf(worst, 'critical', options), details };
  }
  const warnings = over('warning');
  const missing = unknown.length === 0 ? [] : [`the guest does not tell ${unknown.join(', ')}`];
  const said = [...(warnings.length === 0 ? [] : [textOf(warnings, 'warning', options)]), ...missing];
  return {
    outcome:
      measures.length === 0 ? { result: 'inconclusive', reason: 'prober-resources' } : { result: 'ok' },
    ...(said.length === 0 ? {} : { message: said.join('; '), warnings: said }),
    details,
  };
}

function measure(resource: Resource, resources: GuestResources, { mounts }: ResourceOptions): Measure[] {
  const one = (value: number | undefined, text: string): Measure[] =>
    value === undefined ? [] : [{ resource, value, text }];
  const { cpu, memory, load, cpus = 1 } = resources;
  const disks = resources.disks.filter((disk) => isLookedAt(disk, mounts));
  switch (resource) {
    case 'disk':
      return disks.flatMap((disk) => one(percent(disk.usedBytes, disk.totalBytes), `disk ${disk.mount}`));
    case 'inodes':
      return disks.flatMap(({ inodes, mount }) =>
        inodes === undefined ? [] : one(percent(inodes.used, inodes.total), `inodes ${mount}`),
      );
    case 'memory':
      return memory === undefined
        ? []
        : one(percent(memory.totalBytes - memory.availableBytes, memory.totalBytes), 'memory');
    case 'cpu':
      return one(cpu?.usedPercent, 'cpu');
    case 'ioWait':
      return one(cpu?.ioWaitPercent, 'I/O wait');
    case 'load':
      return load === undefined ? [] : one(load[1] / Math.max(1, cpus), 'load over 5 minutes');
  }
}

function isLookedAt(
  { mount, fsType, readOnly, totalBytes }: GuestDisk,
  mounts: readonly string[] | undefined,
) {
  if (totalBytes === 0) return false;
  if (mounts !== undefined) return mounts.some((pattern) => matchesGlob(pattern, mount));
  return !readOnly && !IN_MEMORY.has(fsType);
}

/** What a hostile guest says may be more than all. */
function percent(part: number, all: number): number {
  if (!(all > 0)) return 0;
  return Math.min(100, Math.max(0, Math.round((part * 1000) / all) / 10));
}

function textOf(
  measures: readonly Measure[],
  limit: 'warning' | 'critical',
  { limits }: ResourceOptions,
): string {
  const shown = measures.slice(0, 5).map(({ resource, value, text }) => {
    const unit = resource === 'load' ? ' a processor' : ' %';
    const rounded = Math.round(value * 10) / 10;
    return `${text} ${rounded}${unit} (${limit} from ${limits[resource][limit]})`;
  });
  const rest = measures.length - shown.length;
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}

/** The largest of each, under the names of `vmpulse vm stats`. */
function detailsOf(measures: readonly Measure[]): Record<string, number> {
  const details: Record<string, number> = {};
  for (const { resource, value } of measures) {
    const name = `${resource}_usage`;
    details[name] = Math.max(details[name] ?? 0, value);
  }
  return details;
}
