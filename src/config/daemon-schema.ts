import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { DEFAULT_RUN_DIR, DEFAULT_STATE_DIR, SOCKET_NAME } from '../model/folders.js';
import { given } from '../model/given.js';
import type { HookSettings } from '../model/hook.js';
import type { HostNetwork } from '../model/link.js';
import type { NotifySettings, ReportSettings } from '../model/notification.js';
import { DEFAULT_TIMING } from '../model/probe.js';
import type { RecoverySpec } from '../model/vm.js';
import { DEFAULT_RECOVERY } from '../policy/defaults.js';
import {
  absolutePathField,
  booleanField,
  countField,
  hasControlCharacters,
  socketPathField,
  textField,
} from '../probes/fields.js';
import { type ApiConfig, apiSchema, buildApi } from './api-schema.js';
import { checkDocument } from './check-document.js';
import { buildEngine, type EngineConfig, engineSchema } from './engine-schema.js';
import { durationField, memoryField } from './fields.js';
import { buildHookSettings, hostHooksSchema } from './hooks-schema.js';
import { buildHostWatchdog, type HostWatchdogConfig, hostWatchdogSchema } from './host-watchdog-schema.js';
import { buildLimits, type LimitsConfig, limitsSchema } from './limits-schema.js';
import { guestListenField, type ListenAddress, loopbackListenField } from './listen-address.js';
import { type MetricsPushConfig, metricsPushOf, metricsPushSchema } from './metrics-push-schema.js';
import { buildNetworks, networksSchema } from './networks-schema.js';
import {
  buildNotifySettings,
  buildReport,
  notificationsSchema,
  reportSchema,
} from './notifications-schema.js';
import type { ProbeDefaults } from './probe-timing.js';
import type { ProblemList } from './problems.js';
import { layRecovery, type RecoveryOrigins } from './recovery-layers.js';
import { hostRecoverySchema, recoveryConflicts } from './recovery-schema.js';
import type { SourceDocument } from './source-document.js';

type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** What one daemon needs to know of itself and its host; every default filled in, every path absolute. */
export interface DaemonConfig {
  readonly hostName: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly socketPath: string;
  /** Directories and files with documents. */
  readonly manifests: readonly string[];
  readonly logLevel: LogLevel;
  readonly api: ApiConfig;
  readonly heartbeats: {
    /** Unset: heartbeats on the daemon's socket only. */
    readonly listen?: ListenAddress;
  };
  readonly metrics: {
    /** Unset: metrics on the daemon's socket only. */
    readonly listen?: ListenAddress;
    /** Also under the names of older dashboards. */
    readonly seedNames: boolean;
    /** Where they are sent by remote write; unset: nowhere. */
    readonly push?: MetricsPushConfig;
  };
  /** What goes from the journal, oldest first. */
  readonly journal: { readonly maxAgeMs: number; readonly maxBytes: number };
  readonly readiness: {
    /** Where HAProxy's agent-check is answered; unset: nowhere. */
    readonly agentCheck?: ListenAddress;
  };
  /** A watchdog device of the host that the daemon feeds; unset: none. */
  readonly hostWatchdog?: HostWatchdogConfig;
  readonly engine: EngineConfig;
  /** What probes get that say nothing else. */
  readonly probes: ProbeDefaults;
  /** Networks that vmpulse makes on the host. */
  readonly networks: readonly HostNetwork[];
  /** Run at events of every VM, and how. */
  readonly hooks: HookSettings;
  /** Who is told of what happens. */
  readonly notifications: NotifySettings;
  /** Unset: this host reports to nobody. */
  readonly report?: ReportSettings;
  /** What VMs get that say nothing else. */
  readonly recovery: RecoverySpec;
  /** Which of it the file says; the rest are defaults. */
  readonly recoveryOrigins: RecoveryOrigins;
  readonly limits: LimitsConfig;
}

const hostNameField = textField({ unit: 'name', example: 'kvm-3' }, (text) =>
  /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$/.test(text)
    ? undefined
    : `is not a host name ("${text}"); use letters, digits, ., - and _`,
);

const manifestPathField = textField({ unit: 'path', example: 'vms.d' }, (text) =>
  text === '' || hasControlCharacters(text)
    ? 'is not a path; write a directory or file, relative to this file or absolute'
    : undefined,
);

const DAY_MS = 86_400_000;
const MIB = 1024 ** 2;
/** A journal also has the state of the VMs, which stays. */
const MIN_JOURNAL_MIB = 64;

const journalSchema = z.strictObject({
  maxAge: durationField('30d', 3_600_000).optional(),
  maxSize: memoryField
    .refine((mib) => mib >= MIN_JOURNAL_MIB, 'is less than 64Mi; write one such as 1Gi')
    .meta({ unit: 'quantity', example: '1Gi', bounds: 'from 64Mi' })
    .optional(),
});

const probesSchema = z.strictObject({
  period: durationField('10s', 50, DAY_MS).optional(),
  timeout: durationField('1s', 1, DAY_MS).optional(),
  successThreshold: countField({ unit: 'count', example: '1' }, 1, 1000).optional(),
  failureThreshold: countField({ unit: 'count', example: '3' }, 1, 1000).optional(),
  retryDelay: durationField('5s', 1, DAY_MS).optional(),
});

/** The daemon's configuration file. */
export const daemonSchema = z.strictObject({
  hostName: hostNameField.optional(),
  stateDir: absolutePathField.optional(),
  runDir: absolutePathField.optional(),
  socket: socketPathField.optional(),
  manifests: z
    .array(manifestPathField)
    .max(64)
    .meta({ unit: 'list of paths', example: '[vms.d]' })
    .optional(),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .meta({ unit: 'choice', example: 'info' })
    .optional(),
  heartbeats: z.strictObject({ listen: guestListenField.optional() }).optional(),
  metrics: z
    .strictObject({
      listen: loopbackListenField.optional(),
      seedNames: booleanField.optional(),
      push: metricsPushSchema.optional(),
    })
    .optional(),
  readiness: z.strictObject({ agentCheck: loopbackListenField.optional() }).optional(),
  engine: engineSchema.optional(),
  probes: probesSchema.optional(),
  recovery: hostRecoverySchema.optional(),
  limits: limitsSchema.optional(),
  networks: networksSchema.optional(),
  hooks: hostHooksSchema.optional(),
  notifications: notificationsSchema.optional(),
  report: reportSchema.optional(),
  hostWatchdog: hostWatchdogSchema.optional(),
  journal: journalSchema.optional(),
  api: apiSchema.optional(),
});

const DEFAULT_JOURNAL = { maxAgeMs: 30 * 86_400_000, maxBytes: 1024 * MIB };

type WrittenDaemon = z.output<typeof daemonSchema>;

function fillIn(
  written: WrittenDaemon,
  document: SourceDocument,
  file: string,
  hostName: string,
): DaemonConfig {
  const { heartbeats = {}, metrics = {}, journal = {}, readiness = {} } = written;
  const runDir = written.runDir ?? DEFAULT_RUN_DIR;
  const own = { origin: `host configuration (${file})`, written: written.recovery, document };
  const report = buildReport(written.report);
  const laid = layRecovery(DEFAULT_RECOVERY, [own]);
  return {
    hostName: written.hostName ?? hostName,
    stateDir: written.stateDir ?? DEFAULT_STATE_DIR,
    runDir,
    socketPath: written.socket ?? join(runDir, SOCKET_NAME),
    manifests: (written.manifests ?? ['vms.d']).map((path) => resolve(dirname(file), path)),
    logLevel: written.logLevel ?? 'info',
    api: buildApi(written.api),
    heartbeats: heartbeats.listen === undefined ? {} : { listen: heartbeats.listen },
    metrics: {
      ...given({ listen: metrics.listen }),
      seedNames: metrics.seedNames ?? false,
      ...(metrics.push === undefined ? {} : { push: metricsPushOf(metrics.push) }),
    },
    journal: {
      maxAgeMs: journal.maxAge ?? DEFAULT_JOURNAL.maxAgeMs,
      maxBytes: journal.maxSize === undefined ? DEFAULT_JOURNAL.maxBytes : journal.maxSize * MIB,
    },
    readiness: readiness.agentCheck === undefined ? {} : { agentCheck: readiness.agentCheck },
    ...(written.hostWatchdog === undefined ? {} : { hostWatchdog: buildHostWatchdog(written.hostWatchdog) }),
    engine: buildEngine(written.engine),
    probes: probeDefaults(written.probes),
    networks: buildNetworks(written.networks),
    hooks: buildHookSettings(written.hooks),
    notifications: buildNotifySettings(written.notifications),
    ...given({ report }),
    recovery: laid.recovery,
    recoveryOrigins: laid.origins,
    limits: buildLimits(written.limits),
  };
}

function probeDefaults(written: WrittenDaemon['probes'] = {}): ProbeDefaults {
  const { period, timeout, successThreshold, failureThreshold, retryDelay } = written;
  return {
    periodMs: period ?? DEFAULT_TIMING.periodMs,
    timeoutMs: timeout ?? DEFAULT_TIMING.timeoutMs,
    successThreshold: successThreshold ?? DEFAULT_TIMING.successThreshold,
    failureThreshold: failureThreshold ?? DEFAULT_TIMING.failureThreshold,
    ...given({ retryDelayMs: retryDelay }),
  };
}

/**
 * Reads the daemon's configuration. `file` is where relative paths start; `hostName` is what the host calls itself.
 * Undefined when something is wrong; `problems` has it.
 */
export function readDaemonConfig(
  document: SourceDocument,
  file: string,
  hostName: string,
  problems: ProblemList,
): DaemonConfig | undefined {
  const written = checkDocument(document, daemonSchema, 'the daemon configuration', problems);
  if (written === undefined) return undefined;
  const config = fillIn(written, document, file, hostName);
  const conflicts = recoveryConflicts(config.recovery);
  for (const [below, message] of conflicts) {
    const path = ['recovery', ...below];
    problems.add(document.placeOf(path), path, message);
  }
  return conflicts.length === 0 ? config : undefined;
}
