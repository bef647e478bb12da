import type { ProbeSpec } from '../model/probe.js';
import type { VmSpec } from '../model/vm.js';
import { formatDuration } from './duration.js';
import type { LoadedConfig } from './load-config.js';
import { isAtOrBelow, type Override, overrideOrigin } from './overrides/override.js';
import { redact } from './redact.js';

/** A value that holds, as it is written in the documents, and who said it. */
export interface Setting {
  /** As `vmpulse config set` takes it. */
  readonly path: string;
  /** Plain JSON; secrets are replaced. */
  readonly value: unknown;
  /** `default`, `file:line:column`, the name of a document, or `override by …`. */
  readonly origin: string;
}

const DEFAULT = 'default';

/** Values whose names differ from those in the file. */
const WRITTEN_AS: Readonly<Record<string, string>> = {
  socketPath: 'socket',
  'limits.maxConcurrentRecoveries': 'limits.concurrentRecoveries',
  'limits.maxBootsPerMinute': 'limits.bootsPerMinute',
  'limits.brakeMinVms': 'limits.brakeFrom',
  'limits.sharedCauseMinVms': 'limits.sharedCauseFrom',
};
/** Sections whose durations are written as a number, with the unit in the name. */
const IN_MS: ReadonlySet<string> = new Set(['engine']);

/** Every setting of the daemon. */
export function daemonSettings({ config, origins }: LoadedConfig): readonly Setting[] {
  const { recoveryOrigins: _, ...shown } = config;
  return Object.entries(shown)
    .flatMap(([name, value]) => flatten(name, value, !IN_MS.has(name)))
    .map(({ path, value }) => ({
      path,
      value: redact(value, path),
      origin: origins[path] ?? below(path, origins),
    }))
    .sort(byPath);
}

/** A list is one value here, and several in the file. */
function below(path: string, origins: Readonly<Record<string, string>>): string {
  return Object.entries(origins).find(([name]) => isAtOrBelow(name, path))?.[1] ?? DEFAULT;
}

interface Value {
  readonly path: string;
  readonly value: unknown;
}

function flatten(path: string, value: unknown, asText: boolean): Value[] {
  if (isAddress(value)) return [{ path, value: addressText(value) }];
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([key, inner]) => flatten(`${path}.${key}`, inner, asText));
  const written = WRITTEN_AS[path] ?? path;
  if (!asText || typeof value !== 'number' || !written.endsWith('Ms')) return [{ path: written, value }];
  return [{ path: written.slice(0, -2), value: formatDuration(value) }];
}

function isAddress(value: unknown): value is { readonly host: string; readonly port: number } {
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).sort().join() === 'host,port';
}

function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Every setting of a VM that can be changed while it runs. */
export function vmSettings(spec: VmSpec, overrides: readonly Override[]): readonly Setting[] {
  const own = overrides.filter(({ vm }) => vm === spec.id);
  const originAt = (path: string, usual: string) => {
    const by = own.findLast((each) => isAtOrBelow(path, each.path));
    return by === undefined ? usual : overrideOrigin(by);
  };
  const plain = [
    { path: 'runStrategy', value: spec.runStrategy },
    ...(spec.address === undefined ? [] : [{ path: 'address', value: spec.address }]),
    ...(spec.maintenance ?? []).map(({ name, ...entry }) => ({ path: `maintenance.${name}`, value: entry })),
    ...spec.probes.flatMap(probeValues),
  ].map(({ path, value }) => ({ path, value: redact(value, path), origin: originAt(path, 'documents') }));
  const recovery = flatten('recovery', spec.recovery, true).map(({ path, value }) => ({
    path,
    value,
    origin: recoveryOrigin(path.slice('recovery.'.length), spec.recoveryOrigins ?? {}),
  }));
  return [...plain, ...recovery].sort(byPath);
}

function recoveryOrigin(path: string, origins: Readonly<Record<string, string>>): string {
  return origins[path] ?? origins[`${path}Ms`] ?? DEFAULT;
}

function probeValues({ name, role, check, timing, enabled, weight, critical }: ProbeSpec): Value[] {
  const top = name === role ? `${role}Probe` : `probes.${name}`;
  const { kind, ...options } = check;
  return [
    { path: `${top}.${kind}`, value: options },
    ...(name === role ? [] : [{ path: `${top}.role`, value: role }]),
    ...Object.entries({ enabled, weight, critical, ...timing }).map(([key, value]) => ({
      path: `${top}.${key === 'initialDelayMs' ? 'initialDelaySeconds' : key}`,
      value: key === 'initialDelayMs' ? Number(value) / 1000 : value,
    })),
  ];
}

function byPath(a: Setting, b: Setting): number {
  return a.path < b.path ? -1 : 1;
}
