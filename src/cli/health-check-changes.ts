import { type HealthCheck, kindOfCheck } from '../config/health-check.js';
import type { ConfigurationAnswer } from '../daemon/answers/configuration.js';
import { VmpulseError } from '../model/errors.js';
import type { WantedChange } from './commands/config-change.js';

/** What is wanted of the health check of a VM; what is not said stays. Times in ms. */
export interface WantedCheck extends HealthCheck {
  /** Name of the probe that is meant; default the VM's own. */
  readonly probe?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly intervalMs?: number | undefined;
  readonly successThreshold?: number | undefined;
  readonly failureThreshold?: number | undefined;
  readonly enabled?: boolean | undefined;
}

type Settings = ConfigurationAnswer['settings'];

/** The name of a health check that is added to a VM that has none. */
const ADDED = 'health-check';
/** What these ask is whether there is a VM at all, under whatever name; vmpulse gives them to a VM by itself. */
const OF_THE_VMM = /^(probes\..+)\.(vmmProcess|vmState)$/;

/** The settings that make it so. Throws ERR_VMPULSE_USAGE for what cannot be told. */
export function healthCheckChanges(vm: string, settings: Settings, wanted: WantedCheck): WantedChange[] {
  const probes = probesOf(settings);
  const top = wanted.probe === undefined ? theCheck(probes) : pathOf(wanted.probe, probes);
  const { enabled, ...check } = wanted;
  const switches = enabled === undefined ? [] : switched(top, probes, enabled, wanted.probe !== undefined);
  const isOther = Object.entries(check).some(([name, value]) => name !== 'probe' && value !== undefined);
  const others = isOther ? changed(top, settings, check) : [];
  if (switches.length + others.length === 0) {
    const text = `${vm} has no health check; name its --health-check-type to add one`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text);
  }
  return [...others, ...switches].map(({ path, value }) => ({ vm, path, value }));
}

interface Value {
  readonly path: string;
  readonly value: unknown;
}

/** Where the probes of the documents stand. */
function probesOf(settings: Settings): readonly string[] {
  const ofTheVmm = new Set(settings.flatMap(({ path }) => OF_THE_VMM.exec(path)?.[1] ?? []));
  return settings
    .filter(({ path }) => path.endsWith('.enabled') && !path.startsWith('recovery.'))
    .map(({ path }) => path.slice(0, -'.enabled'.length))
    .filter((path) => !ofTheVmm.has(path));
}

/** The one that a VM is known to be healthy by. */
function theCheck(probes: readonly string[]): string | undefined {
  const order = [`probes.${ADDED}`, 'readinessProbe', 'livenessProbe', 'startupProbe'];
  return order.find((path) => probes.includes(path)) ?? probes[0];
}

function pathOf(name: string, probes: readonly string[]): string {
  const role = `${name}Probe`;
  return probes.includes(role) ? role : `probes.${name}`;
}

function switched(
  top: string | undefined,
  probes: readonly string[],
  enabled: boolean,
  isNamed: boolean,
): readonly Value[] {
  const all = isNamed && top !== undefined ? [top] : probes;
  return all.map((path) => ({ path: `${path}.enabled`, value: enabled }));
}

function changed(top: string | undefined, settings: Settings, check: WantedCheck): readonly Value[] {
  const isThere = top !== undefined && settings.some(({ path }) => path === `${top}.enabled`);
  if (isThere)
    return [...kindChanges(top, settings, check), ...timingOf(check).map((each) => below(top, each))];
  const { kind, options } = kindOfCheck(check);
  const timing = Object.fromEntries(timingOf(check).map(({ path, value }) => [path, value]));
  const value = { critical: true, [kind]: options, ...timing };
  return [{ path: top ?? `probes.${ADDED}`, value }];
}

function below(top: string, { path, value }: Value): Value {
  return { path: `${top}.${path}`, value };
}

function timingOf({
  timeoutMs,
  intervalMs,
  successThreshold,
  failureThreshold,
}: WantedCheck): readonly Value[] {
  const all = { timeoutMs, periodMs: intervalMs, successThreshold, failureThreshold };
  return Object.entries(all).flatMap(([path, value]) => (value === undefined ? [] : [{ path, value }]));
}

/** Another kind is written anew; of the same one, what is named. */
function kindChanges(top: string, settings: Settings, check: WantedCheck): readonly Value[] {
  const { type, port, path, pattern, command } = check;
  if (type !== undefined) {
    const { kind, options } = kindOfCheck(check);
    if (!hasKind(top, kind, settings)) return [{ path: `${top}.${kind}`, value: options }];
  }
  const named = { port, path, seen: pattern, command };
  const given = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [{ path: name, value }],
  );
  if (given.length === 0) return [];
  const kind = KINDS.find((each) => hasKind(top, each, settings));
  if (kind !== undefined) return given.map((each) => below(`${top}.${kind}`, each));
  throw new VmpulseError(
    'ERR_VMPULSE_USAGE',
    `what ${top} asks has no such option; give its --health-check-type as well`,
  );
}

/** Kinds whose options these are. */
const KINDS = ['httpGet', 'tcpSocket', 'ssh', 'console', 'exec'] as const;

function hasKind(top: string, kind: string, settings: Settings): boolean {
  return settings.some(({ path }) => path === `${top}.${kind}`);
}
