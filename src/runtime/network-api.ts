import type { HostNetwork } from '../model/link.js';
import type { VmId } from '../model/vm.js';
import type { GroupPolicy, NetworkFault, NewRule, SecurityRule } from '../network/index.js';

/** One thing that is wrong with the network of the host or of a VM. */
export interface NetworkProblemView {
  readonly fault: NetworkFault;
  readonly device: string | null;
  /** Null: it concerns what several share. */
  readonly vm: VmId | null;
  readonly text: string;
  /** `network repair` puts it right. */
  readonly canRepair: boolean;
}

export interface NetworkView {
  readonly networks: readonly HostNetwork[];
  readonly problems: readonly NetworkProblemView[];
}

export interface RepairView {
  /** What was done, or (dryRun) would be. */
  readonly done: readonly string[];
  /** What is wrong then. */
  readonly problems: readonly NetworkProblemView[];
}

export interface GroupView {
  /** `default`, or the VM whose group it is. */
  readonly name: string;
  /** Null: that of the group `default`. */
  readonly policy: GroupPolicy | null;
  readonly rules: readonly SecurityRule[];
}

export interface GroupsView {
  readonly groups: readonly GroupView[];
  /** What holds for the VM that was asked for; null: all groups were. */
  readonly effective: { readonly vm: VmId; readonly policy: GroupPolicy } | null;
}

/** The host's networks and who may reach which VM. `vm` null: the whole host, or the group `default`. */
export interface NetworkApi {
  check(vm: VmId | null): Promise<NetworkView>;
  repair(options: { vm: VmId | null; dryRun: boolean; author: string }): Promise<RepairView>;
  /** The groups that hold for a VM, or all. */
  groups(vm: VmId | null): GroupsView;
  /** Rejects with ERR_VMPULSE_ARGUMENT for a VM without a TAP device, ERR_VMPULSE_NETWORK; nothing has changed then. */
  addRule(options: { vm: VmId | null; rule: NewRule; author: string }): Promise<GroupsView>;
  removeRule(options: { vm: VmId | null; id: string; author: string }): Promise<GroupsView>;
  /** What is dropped or let through that no rule names; `policy` null: as the group `default` has it. */
  setPolicy(options: { vm: VmId | null; policy: GroupPolicy | null; author: string }): Promise<GroupsView>;
}
