import { nested } from '../config/import/nested.js';
import { trueOrFalse, wholeNumber } from './option-parsers.js';

/** An option of azlin's `autopilot config`. */
interface AutopilotOption {
  readonly flags: string;
  readonly help: string;
  /** What it is called in azlin's file; several: it sets all of them. */
  readonly paths: readonly string[];
  readonly read: (text: string) => unknown;
}

const text = (value: string) => value;
const boolean = trueOrFalse;
const number = wholeNumber(0, 999_999);

type Row = readonly [flags: string, help: string, paths: string, read: (text: string) => unknown];

const ROWS: readonly Row[] = [
  ['--level <level>', 'basic, standard or advanced', 'health_monitoring.level', text],
  ['--health-interval <time>', 'how often it is looked', 'health_monitoring.interval', text],
  ['--connectivity-check <boolean>', 'ping', 'health_monitoring.checks.connectivity', boolean],
  ['--connectivity-timeout <time>', 'of the ping', 'health_monitoring.connectivity_timeout', text],
  ['--ssh-check <boolean>', 'banner of the SSH server', 'health_monitoring.checks.ssh', boolean],
  [
    '--resource-check <boolean>',
    'disk, memory and processor',
    'health_monitoring.checks.disk health_monitoring.checks.memory health_monitoring.checks.cpu',
    boolean,
  ],
  ['--disk-check <boolean>', 'how full the disks are', 'health_monitoring.checks.disk', boolean],
  ['--memory-check <boolean>', 'how much memory is used', 'health_monitoring.checks.memory', boolean],
  ['--cpu-check <boolean>', 'how busy the processors are', 'health_monitoring.checks.cpu', boolean],
  ['--log-check <boolean>', 'panics and disk errors on the console', 'health_monitoring.checks.log', boolean],
  ['--disk-warning <percent>', 'limit of a warning', 'thresholds.disk_warning', number],
  ['--disk-critical <percent>', 'limit of a failure', 'thresholds.disk_critical', number],
  ['--memory-warning <percent>', 'limit of a warning', 'thresholds.memory_warning', number],
  ['--memory-critical <percent>', 'limit of a failure', 'thresholds.memory_critical', number],
  ['--cpu-warning <percent>', 'limit of a warning', 'thresholds.cpu_warning', number],
  ['--cpu-critical <percent>', 'limit of a failure', 'thresholds.cpu_critical', number],
  [
    '--auto-restart <boolean>',
    'false: nothing boots the guest by itself',
    'self_healing.actions.auto_restart',
    boolean,
  ],
  [
    '--auto-cleanup <boolean>',
    'journalctl --vacuum-size=200M where a disk is full',
    'self_healing.actions.auto_cleanup',
    boolean,
  ],
  [
    '--network-reset <boolean>',
    'mend the network of the host',
    'self_healing.actions.network_reset',
    boolean,
  ],
  ['--max-recovery-attempts <count>', 'recoveries in a row', 'self_healing.max_attempts', number],
  ['--recovery-delay <time>', 'pause after the first attempt', 'self_healing.recovery_delay', text],
  ['--restart-delay <time>', 'how long a boot may take', 'self_healing.restart_delay', text],
  ['--maintenance-schedule <cron>', 'when; with one of those below', 'maintenance.schedule', text],
  ['--maintenance-cleanup <boolean>', 'free room in the guest', 'maintenance.cleanup', boolean],
  ['--maintenance-updates <boolean>', 'security updates', 'maintenance.updates', boolean],
  ['--maintenance-restart <boolean>', 'a reboot', 'maintenance.restart', boolean],
  ['--maintenance-window-start <time>', 'UTC, with its end', 'maintenance.window_start', text],
  ['--maintenance-window-end <time>', 'UTC', 'maintenance.window_end', text],
  ['--auto-log-rotation <boolean>', 'every night', 'maintenance.log_rotation', boolean],
  ['--auto-package-cleanup <boolean>', 'every night', 'maintenance.package_cleanup', boolean],
  ['--auto-temp-cleanup <boolean>', 'every night', 'maintenance.temp_cleanup', boolean],
  [
    '--cleanup-threshold <percent>',
    'not here; the message says what instead',
    'maintenance.cleanup_threshold',
    number,
  ],
  ['--notify-email <address>', 'not here: vmpulse notify', 'notifications.email', text],
  ['--notify-slack <url>', 'not here: vmpulse notify', 'notifications.slack', text],
  ['--notify-level <level>', 'not here: vmpulse notify', 'notifications.level', text],
  ['--debug-logging <boolean>', 'not here: vmpulse config set logLevel', 'debug_logging', boolean],
];

export const AUTOPILOT_OPTIONS: readonly AutopilotOption[] = ROWS.map(([flags, help, paths, read]) => ({
  flags,
  help,
  paths: paths.split(' '),
  read,
}));

/** What was typed, as azlin's file would have it. */
export function azlinDocument(options: Readonly<Record<string, unknown>>): {
  readonly document: object;
  readonly flagOf: (path: string) => string;
} {
  const typed = AUTOPILOT_OPTIONS.flatMap((option) => {
    const value = options[nameOf(option.flags)];
    return value === undefined ? [] : [{ option, value }];
  });
  const values = typed.flatMap(({ option, value }) => option.paths.map((path) => ({ path, value })));
  const flagOf = (path: string) =>
    typed.find(({ option }) => option.paths.includes(path))?.option.flags.split(' ')[0] ?? path;
  return { document: nested(values), flagOf };
}

/** As the parser of the command line names it. */
function nameOf(flags: string): string {
  const [flag = ''] = flags.split(' ');
  return flag.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
