import type { ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import type { HookSettings } from '../model/hook.js';
import type { HostNetwork } from '../model/link.js';
import type { Logger } from '../model/logger.js';
import type { Driver } from '../model/ports.js';
import type { VmSpec } from '../model/vm.js';
import type { PolicyConfig } from '../policy/types.js';
import type { RecoveryOverrides } from '../recovery/registry.js';
import type { BeforeAction } from './action-runner.js';
import type { CustomProbes } from './custom-probes.js';
import type { ObservableJournal } from './journal/index.js';
import type { Metrics } from './metrics/metrics.js';

export interface VmpulseOptions {
  /** The VMs to watch; loadConfig gives them from files. More by apply(). */
  readonly vms: readonly VmSpec[];
  /** Sockets and per-VM run-time files; default /run/vmpulse. */
  readonly runDir?: string;
  /** Evidence and locks that outlive a run; default /var/lib/vmpulse. */
  readonly stateDir?: string;
  /** Name of this host; default the system's. */
  readonly host?: string;
  /** A ProbeEngine to share; not closed by this object. Default: one of its own. */
  readonly engine?: ProbeEngine;
  /** Default: in memory, so that nothing survives a restart. Not closed by this object. */
  readonly journal?: ObservableJournal;
  /** Kinds of probe of the host program, by the name that a check of kind `custom` gives. */
  readonly probes?: CustomProbes;
  /** Programs run at events of VMs; default none but those of the VMs and those that were added. */
  readonly hooks?: HookSettings;
  /** Networks that are made on this host; default none. */
  readonly networks?: readonly HostNetwork[];
  /** Drivers by name, beside or instead of the built-in ones. */
  readonly drivers?: Readonly<Record<string, Driver>>;
  /** Recoveries by ladder step, beside or instead of the built-in ones. */
  readonly recoveries?: RecoveryOverrides;
  /** Host-wide limits; the rest are defaults. */
  readonly policy?: Partial<PolicyConfig>;
  /** Asked before every action; holding is journalled and asked again later. A throw or a time-out holds. */
  readonly beforeAction?: BeforeAction;
  /** While this file exists nothing is done; default `<runDir>/hold`. */
  readonly holdFile?: string;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Longest wait for one durable journal write, ms; default 5000. */
  readonly journalDeadlineMs?: number;
}
