import type { VmId, VmSpec } from '../model/vm.js';
import { canonicalJson } from './canonical-json.js';
import { daemonDocument } from './daemon-document.js';
import type { DaemonConfig } from './daemon-schema.js';
import type { LoadedConfig } from './load-config.js';
import { isMapping, leavesOf } from './mapping.js';

/** A VM that is in both configurations and differs. */
interface VmChange {
  readonly id: VmId;
  /** The VMM must start anew before everything of it holds; vmpulse never restarts a VM for that by itself. */
  readonly restartRequired: boolean;
  /** Changed parts, for example `probes`, `hypervisor.memoryMiB`. */
  readonly what: readonly string[];
}

/** What a reload would change. */
export interface ConfigDiff {
  readonly added: readonly VmId[];
  /** No longer watched; they run on. */
  readonly removed: readonly VmId[];
  readonly changed: readonly VmChange[];
  readonly daemon: {
    /** Changed settings as the file has them, for example `logLevel`, `engine.tickMs`. */
    readonly changed: readonly string[];
    /** Those of them that hold only after the daemon has been restarted. */
    readonly restartRequired: readonly string[];
  };
}

/** Settings of the daemon that a reload takes over while it runs. */
const LIVE: ReadonlySet<string> = new Set([
  'api',
  'heartbeats',
  'hooks',
  'limits',
  'logLevel',
  'manifests',
  'metrics',
  'networks',
  'notifications',
  'probes',
  'readiness',
  'recovery',
  'report',
]);

/** Whether a reload takes a setting over, by its path; the others hold after a restart of the daemon. */
export function isLive(path: string): boolean {
  return LIVE.has(path.split(/[.[]/, 1)[0] ?? path);
}

/** Names of the members that differ, those of the mappings in `open` one level down. */
function differences(before: object, after: object, open: ReadonlySet<string>): string[] {
  const old = new Map<string, unknown>(Object.entries(before));
  const fresh = new Map<string, unknown>(Object.entries(after));
  return [...new Set([...old.keys(), ...fresh.keys()])].sort().flatMap((name) => {
    const [a, b] = [old.get(name), fresh.get(name)];
    if (canonicalJson(a ?? null) === canonicalJson(b ?? null)) return [];
    if (!open.has(name) || !isMapping(a) || !isMapping(b)) return [name];
    return differences(a, b, new Set()).map((below) => `${name}.${below}`);
  });
}

const OPEN_IN_VM: ReadonlySet<string> = new Set(['hypervisor']);

function vmChange(before: VmSpec, after: VmSpec): VmChange | undefined {
  const { machineDigest: oldDigest, recoveryOrigins: _old, ...old } = before;
  const { machineDigest: newDigest, recoveryOrigins: _fresh, ...fresh } = after;
  const what = differences(old, fresh, OPEN_IN_VM);
  return what.length === 0 ? undefined : { id: after.id, restartRequired: oldDigest !== newDigest, what };
}

function daemonChange(before: DaemonConfig, after: DaemonConfig): ConfigDiff['daemon'] {
  const old = new Map(leavesOf(daemonDocument(before)));
  const fresh = new Map(leavesOf(daemonDocument(after)));
  const changed = [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((path) => canonicalJson(old.get(path) ?? null) !== canonicalJson(fresh.get(path) ?? null))
    .sort();
  return { changed, restartRequired: changed.filter((path) => !isLive(path)) };
}

/** Compares two configurations, for a reload. */
export function diffConfig(before: LoadedConfig, after: LoadedConfig): ConfigDiff {
  const old = new Map(before.vms.map((vm) => [vm.id, vm]));
  const fresh = new Map(after.vms.map((vm) => [vm.id, vm]));
  return {
    added: [...fresh.keys()].filter((id) => !old.has(id)),
    removed: [...old.keys()].filter((id) => !fresh.has(id)),
    changed: [...fresh.values()].flatMap((vm) => {
      const earlier = old.get(vm.id);
      return earlier === undefined ? [] : (vmChange(earlier, vm) ?? []);
    }),
    daemon: daemonChange(before.config, after.config),
  };
}
