import type { ProbeEngine } from '../engine/probe-engine.js';
import type { ActionResult, RecoveryAction } from '../model/action.js';
import type { Clock } from '../model/clock.js';
import type { Logger } from '../model/logger.js';
import type { Driver, NetworkPort } from '../model/ports.js';
import type { Decision, PolicyConfig } from '../policy/types.js';
import type { ProbeHost } from '../probes/external.js';
import type { RecoveryRegistry } from '../recovery/registry.js';
import type { BeforeAction } from './action-runner.js';
import type { CustomProbes } from './custom-probes.js';
import type { HookPort } from './hooks/hook-views.js';
import type { ObservableJournal } from './journal/index.js';
import type { LinkSource } from './link-watch.js';
import type { WatchHost } from './poll-host.js';

/** Everything that a supervisor is made of comes from outside. */
export interface SupervisorOptions {
  /** Name of this host in views and journal. */
  readonly host: string;
  readonly version: string;
  /** Another one after each boot of the host. */
  readonly hostBootId: () => string;
  /** What is seen of the host itself; unset: it is not looked at. */
  readonly watchHost?: WatchHost;
  /** Network devices of the host; unset: they are not looked at. */
  readonly links?: LinkSource;
  /** Keeps the host's side of the VMs' networks; unset: nobody does. */
  readonly network?: NetworkPort;
  /** Processes that the kernel ended for want of memory so far; unset: not known. */
  readonly oomKills?: () => number;
  /** Text of /proc/self/status, for the rights of this process; unset: nothing is known of them. */
  readonly ownStatus?: () => string;
  readonly engine: ProbeEngine;
  readonly journal: ObservableJournal;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly probes: CustomProbes;
  readonly probeHost: ProbeHost;
  readonly recoveries: RecoveryRegistry;
  readonly policy: PolicyConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly journalDeadlineMs: number;
  readonly beforeAction?: BeforeAction;
  readonly holdFile?: string;
  /** Told of starts, stops, failures and recoveries, and asked before the first two; unset: nobody is. */
  readonly hooks?: HookPort;
  readonly onDecision?: (decision: Decision) => void;
  readonly onRecovery?: (action: RecoveryAction, result: ActionResult) => void;
}
