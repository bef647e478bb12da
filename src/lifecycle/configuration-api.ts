import type { ConfigDiff, Override, Setting } from '../config/index.js';
import type { VmId } from '../model/vm.js';

/** A value to be set, or (`value` undefined) what was set at or below the path to be withdrawn. */
export interface SettingChange {
  /** null: the daemon's configuration. */
  readonly vm: VmId | null;
  /** Empty, to withdraw: all of that VM, or of the daemon. */
  readonly path: string;
  /** null: as if nothing were written there. */
  readonly value?: unknown;
}

export interface ChangeRequest {
  readonly changes: readonly SettingChange[];
  /** How long what is set holds, ms; null: until it is withdrawn. */
  readonly forMs: number | null;
  /** Empty: none. */
  readonly reason: string;
  readonly author: string;
  /** Only tells what would change. */
  readonly dryRun: boolean;
}

/** What a change did, or would do. */
export interface ChangeView {
  readonly dryRun: boolean;
  readonly set: readonly Override[];
  readonly withdrawn: readonly Override[];
  /** VMs that are treated otherwise by it. */
  readonly vms: ConfigDiff['changed'];
  /** Settings of the daemon that hold only after its next start. */
  readonly restartRequired: readonly string[];
}

/** What holds, and who said it. */
export interface ConfigurationView {
  readonly vm: VmId | null;
  readonly settings: readonly Setting[];
  readonly overrides: readonly Override[];
  /** Those that do not fit the files any more, and those of VMs that are not there. */
  readonly setAside: readonly { readonly override: Override; readonly why: string }[];
}

/** What the daemon's API needs to change its configuration. */
export interface ConfigurationApi {
  /** The daemon's (null), or that of a VM. Throws ERR_VMPULSE_VM_UNKNOWN. */
  view(vm: VmId | null): ConfigurationView;
  /**
   * Changes all, or nothing: ERR_VMPULSE_CONFIG with every problem, ERR_VMPULSE_ARGUMENT for what cannot be changed
   * while the daemon runs, ERR_VMPULSE_JOURNAL when it could not be recorded.
   */
  change(request: ChangeRequest): Promise<ChangeView>;
}
