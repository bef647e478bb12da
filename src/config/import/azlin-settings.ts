import type { SourceDocument } from '../source-document.js';
import type { NotTaken } from './imported.js';

/** A setting of a VM, as `vmpulse config set --vm` takes it; null: as if nothing were written there. */
export interface VmSetting {
  readonly path: string;
  readonly value: unknown;
}

/** What the words of azlin's autopilot mean here. */
export interface AzlinSettings {
  readonly settings: readonly VmSetting[];
  readonly taken: readonly string[];
  readonly notTaken: readonly NotTaken[];
}

/** Why something is not taken over, and what to do instead. */
class No {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

type Meaning = (value: unknown, all: ReadonlyMap<string, unknown>) => readonly VmSetting[] | No;

/** Steps that boot the guest. */
const RESTARTS: readonly string[] = ['start', 'reboot', 'reset', 'power-cycle', 'recreate'];
/** What frees room in a guest with systemd. */
const CLEANUP_COMMAND: readonly string[] = ['journalctl', '--vacuum-size=200M'];
/** When maintenance that azlin does not schedule is done. */
const NIGHTLY = '0 2 * * *';

const to =
  (path: string): Meaning =>
  (value) => [{ path, value }];
const check = (name: string) => to(`monitoring.checks.${name}`);
const limit = (name: string, which: 'warning' | 'critical') => to(`monitoring.${name}.${which}`);
const no =
  (why: string): Meaning =>
  () =>
    new No(why);

/** A duration in whole seconds. */
const seconds =
  (path: string): Meaning =>
  (value) => {
    const [, count = '', unit = ''] = /^(\d{1,6})(s|m|h)$/.exec(String(value)) ?? [];
    const factor = { s: 1, m: 60, h: 3600 }[unit];
    if (factor === undefined) return new No('is no time in whole seconds; write one such as 30s or 5m');
    return [{ path, value: Number(count) * factor }];
  };

const task =
  (name: string, does: string): Meaning =>
  (value, all) => {
    const path = `maintenance.autopilot-${name}`;
    if (value !== true) return [{ path, value: null }];
    return [{ path, value: { schedule: all.get('maintenance.schedule') ?? NIGHTLY, do: does } }];
  };

const NOTIFY = 'is a channel of the daemon; add it with vmpulse notify add NAME --vm VM';

/** The names of azlin's configuration file, each with what it is here. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'health_monitoring.enabled': (value) => (value === false ? [{ path: 'monitoring', value: null }] : []),
  'health_monitoring.level': to('monitoring.level'),
  'health_monitoring.interval': seconds('monitoring.periodSeconds'),
  'health_monitoring.connectivity_timeout': seconds('monitoring.connectivityTimeoutSeconds'),
  'health_monitoring.checks.connectivity': check('connectivity'),
  'health_monitoring.checks.ssh': check('ssh'),
  'health_monitoring.checks.disk': check('disk'),
  'health_monitoring.checks.memory': check('memory'),
  'health_monitoring.checks.cpu': check('cpu'),
  'health_monitoring.checks.log': check('logs'),
  'thresholds.disk_warning': limit('disk', 'warning'),
  'thresholds.disk_critical': limit('disk', 'critical'),
  'thresholds.memory_warning': limit('memory', 'warning'),
  'thresholds.memory_critical': limit('memory', 'critical'),
  'thresholds.cpu_warning': limit('cpu', 'warning'),
  'thresholds.cpu_critical': limit('cpu', 'critical'),
  'self_healing.enabled': to('recovery.enabled'),
  'self_healing.max_attempts': to('recovery.maxConsecutive'),
  'self_healing.recovery_delay': to('recovery.backoff.base'),
  // The next step waits until the guest had time to come up.
  'self_healing.restart_delay': to('recovery.grace'),
  'self_healing.actions.auto_restart': skipping,
  'self_healing.actions.network_reset': skipping,
  'self_healing.actions.auto_cleanup': (value) => [
    { path: 'recovery.cleanup', value: value === true ? CLEANUP_COMMAND : null },
  ],
  'notifications.email': no(NOTIFY),
  'notifications.slack': no(NOTIFY),
  'notifications.level': no(NOTIFY),
  debug_logging: no('is of the daemon; set it with vmpulse config set logLevel debug'),
  'maintenance.schedule': (_, all) =>
    ['cleanup', 'updates', 'restart'].some((name) => all.get(`maintenance.${name}`) === true)
      ? []
      : new No('says when, and not what; switch on cleanup, updates or restart as well'),
  'maintenance.cleanup': task('cleanup', 'journal-vacuum'),
  'maintenance.updates': task('updates', 'updates'),
  'maintenance.restart': task('restart', 'restart'),
  'maintenance.log_rotation': task('log-rotation', 'journal-vacuum'),
  'maintenance.package_cleanup': task('package-cleanup', 'package-cache-clean'),
  'maintenance.temp_cleanup': task('temp-cleanup', 'tmpfiles-clean'),
  'maintenance.cleanup_threshold': no(
    'has no counterpart: cleanup follows a probe that fails; write a probe of kind resource with disk.critical, and recovery.cleanup',
  ),
  'maintenance.window_start': window,
  'maintenance.window_end': window,
};

/** One list of steps that both switches make. */
function skipping(_: unknown, all: ReadonlyMap<string, unknown>): readonly VmSetting[] {
  const isOff = (name: string) => all.get(`self_healing.actions.${name}`) === false;
  const skip = [
    ...(isOff('network_reset') ? ['reset-network'] : []),
    ...(isOff('auto_restart') ? RESTARTS : []),
  ];
  return [{ path: 'recovery.skip', value: skip }];
}

function window(_: unknown, all: ReadonlyMap<string, unknown>): readonly VmSetting[] | No {
  const [from, to] = ['window_start', 'window_end'].map((name) => all.get(`maintenance.${name}`));
  if (from === undefined || to === undefined) return new No('is half a window; give its start and its end');
  return [{ path: 'recovery.actionWindows', value: [`${from}-${to}`] }];
}

/** What a file of azlin's autopilot means for a VM. */
export function azlinSettings(document: SourceDocument): AzlinSettings {
  const all = new Map(leaves(document.value, []).map(([path, value]) => [path.join('.'), value]));
  const settings = new Map<string, VmSetting>();
  const taken: string[] = [];
  const notTaken: NotTaken[] = [];
  for (const [path, value] of all) {
    const meaning = Object.hasOwn(MEANINGS, path) ? MEANINGS[path] : no(unknownName(path));
    const means = meaning?.(value, all) ?? [];
    if (means instanceof No)
      notTaken.push({ place: document.placeOf(path.split('.')), path, why: means.why });
    else {
      for (const each of means) settings.set(each.path, each);
      taken.push(path);
    }
  }
  return { settings: [...settings.values()], taken, notTaken };
}

function unknownName(path: string): string {
  return path.startsWith('hooks.')
    ? 'is a hook; add it with vmpulse hooks add'
    : 'has no counterpart; see docs/reference/manifests.md for what there is';
}

function leaves(value: unknown, path: readonly string[]): (readonly [readonly string[], unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, below]) => leaves(below, [...path, key]));
}
