import type { z } from 'zod';
import type { Hook, HookSettings } from '../model/hook.js';
import type {
  NotifyChannel,
  NotifySettings,
  NotifyWay,
  ReportSettings,
  SecretPlace,
  SmtpSettings,
} from '../model/notification.js';
import type { ApiConfig } from './api-schema.js';
import type { DaemonConfig, daemonSchema } from './daemon-schema.js';
import { formatDuration } from './duration.js';
import { type ListenAddress, listenAddressText } from './listen-address.js';
import { formatQuantity } from './quantity.js';
import { recoveryDocument } from './recovery-document.js';

type DaemonDocument = z.input<typeof daemonSchema>;
type Section<Name extends keyof DaemonDocument> = NonNullable<DaemonDocument[Name]>;

/** The configuration file that would say all of it; what is not set is undefined. */
export function daemonDocument(config: DaemonConfig): DaemonDocument {
  const { hostName, stateDir, runDir, socketPath, manifests, logLevel, journal, hostWatchdog } = config;
  const { metrics, heartbeats, readiness, networks, report } = config;
  return {
    ...{ hostName, stateDir, runDir, socket: socketPath, manifests: [...manifests], logLevel },
    api: api(config.api),
    heartbeats: { listen: address(heartbeats.listen) },
    metrics: {
      listen: address(metrics.listen),
      seedNames: metrics.seedNames,
      push: metrics.push && {
        endpoint: metrics.push.endpoint,
        every: formatDuration(metrics.push.everyMs),
        tokenFile: metrics.push.tokenFile,
      },
    },
    journal: { maxAge: formatDuration(journal.maxAgeMs), maxSize: formatQuantity(journal.maxBytes) },
    readiness: { agentCheck: address(readiness.agentCheck) },
    hostWatchdog: hostWatchdog && {
      device: hostWatchdog.device,
      timeout: formatDuration(hostWatchdog.timeoutMs),
      pretimeout: duration(hostWatchdog.pretimeoutMs),
    },
    engine: config.engine,
    probes: probes(config.probes),
    networks: networks.map((network) => ({ ...network })),
    hooks: hooks(config.hooks),
    notifications: notifications(config.notifications),
    report: report && reportSection(report),
    recovery: recoveryDocument(config.recovery),
    limits: limits(config.limits),
  };
}

function address(listen: ListenAddress | undefined): string | undefined {
  return listen && listenAddressText(listen);
}

function duration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(ms);
}

function api({ socketGroup, access, listen }: ApiConfig): Section<'api'> {
  return {
    socketGroup,
    access: { read: [...access.read], operate: [...access.operate], admin: [...access.admin] },
    listen: listen && {
      address: listenAddressText(listen),
      certificate: listen.certificate,
      key: listen.key,
      clientCa: listen.clientCa,
      clients: [...listen.clients],
    },
  };
}

function probes({ periodMs, timeoutMs, retryDelayMs, ...counts }: DaemonConfig['probes']): Section<'probes'> {
  return {
    period: formatDuration(periodMs),
    timeout: formatDuration(timeoutMs),
    ...counts,
    retryDelay: duration(retryDelayMs),
  };
}

function hooks({ timeoutMs, concurrency, hooks: global }: HookSettings): Section<'hooks'> {
  return { timeout: formatDuration(timeoutMs), concurrency, global: global.map(hook) };
}

function hook({ event, run, user, timeoutMs }: Hook): NonNullable<Section<'hooks'>['global']>[number] {
  const program =
    'shell' in run ? { command: run.shell, shell: true } : 'argv' in run ? { argv: [...run.argv] } : run;
  return { event, ...program, user, timeout: duration(timeoutMs) };
}

function notifications({ groupMs, perHour, smtp, channels }: NotifySettings): Section<'notifications'> {
  return {
    group: formatDuration(groupMs),
    perHour,
    smtp: smtp && smtpSection(smtp),
    channels: channels.map(channel),
  };
}

type Channel = NonNullable<Section<'notifications'>['channels']>[number];

function smtpSection({ login, ...rest }: SmtpSettings): Section<'notifications'>['smtp'] {
  if (login === undefined) return rest;
  const [passwordFile, passwordEnv] = placeOf(login.password);
  return { ...rest, user: login.user, passwordFile, passwordEnv };
}

function channel({ name, level, vms, way }: NotifyChannel): Channel {
  return { name, level, vms: [...vms], ...wayOf(way) };
}

function wayOf(way: NotifyWay): Partial<Channel> {
  switch (way.kind) {
    case 'email':
      return { email: { to: [...way.to] } };
    case 'exec':
      return { exec: { argv: [...way.argv], user: way.user } };
    case 'slack': {
      const [urlFile, urlEnv] = placeOf(way.url);
      return { slack: { urlFile, urlEnv, caFile: way.caFile } };
    }
    case 'webhook': {
      const [tokenFile, tokenEnv] = placeOf(way.token);
      return { webhook: { url: way.url, tokenFile, tokenEnv, caFile: way.caFile } };
    }
  }
}

function reportSection({ url, token, intervalMs, caFile }: ReportSettings): Section<'report'> {
  const [tokenFile, tokenEnv] = placeOf(token);
  return { url, tokenFile, tokenEnv, interval: formatDuration(intervalMs), caFile };
}

/** The file or the variable that has a secret. */
function placeOf(
  place: SecretPlace | undefined,
): readonly [file: string | undefined, env: string | undefined] {
  if (place === undefined) return [undefined, undefined];
  return 'file' in place ? [place.file, undefined] : [undefined, place.env];
}

function limits(config: DaemonConfig['limits']): Section<'limits'> {
  const { brakeRatio, maxEject } = config;
  return {
    concurrentRecoveries: config.maxConcurrentRecoveries,
    bootsPerMinute: config.maxBootsPerMinute,
    brakeRatio,
    brakeFrom: config.brakeMinVms,
    brakeCooldown: formatDuration(config.brakeCooldownMs),
    brakeEscalateAfter: formatDuration(config.brakeEscalateAfterMs),
    sharedCauseWindow: formatDuration(config.sharedCauseWindowMs),
    maxEject,
    sharedCauseFrom: config.sharedCauseMinVms,
  };
}
