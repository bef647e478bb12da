import type { DaemonConfig } from '../config/index.js';
import type { Clock } from '../model/clock.js';
import { VmpulseError } from '../model/errors.js';
import { Notifier, type NotifyApi, secretReader } from '../notify/index.js';
import type { Metrics } from '../runtime/metrics/metrics.js';
import type { Vmpulse } from '../runtime/vmpulse.js';
import type { LivePart } from './live.js';
import { LiveReport } from './live-report.js';

/** What tells others of this host: notifications and the report. */
export interface Telling extends LivePart {
  readonly notifier: NotifyApi;
  readonly report: LivePart;
  /** Before the runtime is started, so that nothing is missed. */
  start(): Promise<void>;
  /** The runtime is started. */
  started(): void;
  close(): Promise<void>;
}

export function createTelling(options: {
  readonly config: DaemonConfig;
  readonly runtime: Vmpulse;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** The value of a variable of the environment, which may be a secret. */
  readonly variable: (name: string) => string | undefined;
}): Telling {
  const { config, runtime, metrics, clock, variable } = options;
  const shared = {
    stateDir: config.stateDir,
    runtime,
    clock,
    secret: secretReader(variable),
    degrade: (what: string, why: string) => runtime.degrade(what, why),
    mend: (what: string) => runtime.mend(what),
  };
  const notifier = new Notifier({
    ...shared,
    settings: config.notifications,
    host: config.hostName,
    record: (text, data) => runtime.record(null, text, data),
    onDelivery: (channel, result) => metrics.delivery(channel, result),
    onOpened: (channel, waiting) => metrics.channelOpened(channel, waiting),
    onRemoved: (channel) => metrics.channelRemoved(channel),
  });
  const report = new LiveReport({ ...shared, metrics });
  return {
    notifier,
    report,
    check: async ({ notifications }) => refuse(notifier.problemOf(notifications)),
    prepare: async ({ notifications }) => {
      refuse(notifier.problemOf(notifications));
      return { commit: () => notifier.configure(notifications), discard: () => {} };
    },
    start: () => notifier.start(),
    started: () => {
      notifier.announce();
      // Before that it would tell of VMs that nobody has looked at.
      report.start(config.report);
    },
    close: async () => {
      await Promise.all([notifier.close(), report.close()]);
    },
  };
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new VmpulseError('ERR_VMPULSE_CONFIG', problem);
}
