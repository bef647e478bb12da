import type { Clock } from '../model/clock.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { HostNetwork } from '../model/link.js';
import type { Journal, NetworkPort } from '../model/ports.js';
import type { VmId, VmSpec } from '../model/vm.js';
import {
  canBeGuarded,
  DEFAULT_GROUP,
  effectiveRules,
  type Forwarding,
  type GroupPolicy,
  GroupStore,
  groupName,
  type Links,
  NetworkKeeper,
  type NetworkProblem,
  type NewRule,
  type PacketFilter,
  RuleKeeper,
  ruleText,
} from '../network/index.js';
import type { GroupsView, NetworkApi, NetworkProblemView, NetworkView, RepairView } from './network-api.js';
import type { Recorder } from './recorder.js';

/** For a question or a change that a person waits for. */
const CALL_MS = 8_000;

export interface HostNetworkingOptions {
  readonly networks: readonly HostNetwork[];
  readonly hostName: string;
  readonly links: Links;
  readonly forwarding: Forwarding;
  readonly filter: PacketFilter;
  readonly journal: Journal;
  readonly journalDeadlineMs: number;
  readonly clock: Clock;
  /** Why devices cannot be read or changed; undefined: they can. */
  readonly unavailable: () => VmpulseError | undefined;
  readonly isRunning: (vm: VmId) => boolean;
  readonly recorder: () => Recorder;
  /** Something does not work (`why`), or works again (undefined). */
  readonly degrade: (what: string, why: string | undefined) => void;
}

/** Networks and security groups of the host, with who changed them and when. */
export class HostNetworking implements NetworkApi {
  readonly #options: HostNetworkingOptions;
  readonly #store: GroupStore;
  readonly #rules: RuleKeeper;
  readonly #keeper: NetworkKeeper;
  #vms: ReadonlyMap<VmId, VmSpec> = new Map();
  #networks: readonly HostNetwork[];

  constructor(options: HostNetworkingOptions) {
    this.#options = options;
    this.#networks = options.networks;
    const { hostName, links, forwarding, filter, clock, unavailable, isRunning } = options;
    const vms = () => [...this.#vms.values()];
    const networks = () => this.#networks;
    this.#store = new GroupStore(options.journal, options.journalDeadlineMs);
    this.#rules = new RuleKeeper({
      store: this.#store,
      filter,
      links: { info: (name) => (unavailable() === undefined ? links.info(name) : undefined) },
      networks,
      vms,
      now: () => clock.now(),
    });
    const rules = this.#rules;
    this.#keeper = new NetworkKeeper({
      ...{ networks, hostName, links, forwarding, rules, vms, isRunning, unavailable },
    });
  }

  /** What drivers and recoveries use. */
  get port(): NetworkPort {
    return this.#keeper;
  }

  /** Makes the networks and applies the rules that former runs left. What does not work is a degradation. */
  async start(vms: readonly VmSpec[]): Promise<void> {
    try {
      await this.#store.load();
    } catch (error) {
      this.#options.degrade('network', errorMessage(error));
    }
    await this.apply(vms);
  }

  /** Makes the bridges of networks that are to hold soon. Gives what takes those away again. */
  begin(networks: readonly HostNetwork[]): () => void {
    return this.#keeper.begin(networks);
  }

  /**
   * Takes a new set of VMs, and other networks where they are given: a bridge that is none of them any more stays. Resolves
   * with what lets the former ones hold again.
   */
  async apply(vms: readonly VmSpec[], networks = this.#networks): Promise<() => Promise<unknown>> {
    const former = { vms: [...this.#vms.values()], networks: this.#networks };
    this.#networks = networks;
    this.#vms = new Map(vms.map((vm) => [vm.id, vm]));
    const { degrade } = this.#options;
    try {
      await this.#keeper.makeNetworks({ deadlineMs: CALL_MS });
      degrade('network', undefined);
    } catch (error) {
      degrade('network', `the networks of the host are not as they should be: ${errorMessage(error)}`);
    }
    return () => this.apply(former.vms, former.networks);
  }

  async check(vm: VmId | null): Promise<NetworkView> {
    const problems = await this.#keeper.check(this.#spec(vm), { deadlineMs: CALL_MS });
    return { networks: this.#networks, problems: problems.map(problemView) };
  }

  async repair(options: { vm: VmId | null; dryRun: boolean; author: string }): Promise<RepairView> {
    const { vm, dryRun, author } = options;
    const { done, problems } = await this.#keeper.repair(this.#spec(vm), dryRun, { deadlineMs: CALL_MS });
    if (!dryRun && done.length > 0)
      this.#note(vm, `network repaired by ${author}: ${done.join('; ')}`, {
        verb: 'network-repair',
        author,
        done,
      });
    return { done, problems: problems.map(problemView) };
  }

  groups(vm: VmId | null): GroupsView {
    const { groups } = this.#rules;
    const names = vm === null ? [DEFAULT_GROUP, ...[...groups.keys()].sort()] : [DEFAULT_GROUP, vm];
    return {
      groups: [...new Set(names)].map((name) => ({ name, ...this.#store.group(name) })),
      effective: vm === null ? null : { vm, policy: effectiveRules(vm, groups).policy },
    };
  }

  async addRule(options: { vm: VmId | null; rule: NewRule; author: string }): Promise<GroupsView> {
    const { vm, rule, author } = options;
    const added = await this.#rules.addRule(this.#group(vm), rule, author, { deadlineMs: CALL_MS });
    const text = `security group ${groupName(vm)}: rule ${added.id} (${ruleText(added)}) added by ${author}`;
    this.#note(vm, text, { verb: 'security-group-add-rule', ...added, author });
    return this.groups(vm);
  }

  async removeRule({ vm, id, author }: { vm: VmId | null; id: string; author: string }): Promise<GroupsView> {
    const removed = await this.#rules.removeRule(groupName(vm), id, { deadlineMs: CALL_MS });
    const text = `security group ${groupName(vm)}: rule ${id} (${ruleText(removed)}) removed by ${author}`;
    this.#note(vm, text, { verb: 'security-group-remove-rule', ...removed, author });
    return this.groups(vm);
  }

  async setPolicy(options: {
    vm: VmId | null;
    policy: GroupPolicy | null;
    author: string;
  }): Promise<GroupsView> {
    const { vm, policy, author } = options;
    await this.#rules.setPolicy(this.#group(vm), policy, { deadlineMs: CALL_MS });
    const text = `security group ${groupName(vm)}: policy ${policy ?? 'default'} set by ${author}`;
    this.#note(vm, text, { verb: 'security-group-policy', policy, author });
    return this.groups(vm);
  }

  #group(vm: VmId | null): string {
    const spec = this.#spec(vm);
    if (spec === null || canBeGuarded(spec)) return groupName(vm);
    const text = `${vm} has no TAP device, so nothing of this host stands between it and others; rules cannot hold for it`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
  }

  #spec(vm: VmId | null): VmSpec | null {
    if (vm === null) return null;
    const spec = this.#vms.get(vm);
    if (spec !== undefined) return spec;
    throw new VmpulseError('ERR_VMPULSE_VM_UNKNOWN', `no VM ${vm} is watched; vmpulse status lists the VMs`);
  }

  #note(vm: VmId | null, text: string, data: Readonly<Record<string, unknown>>): void {
    this.#options.recorder().note({ vm, type: 'operator', actionId: null, text, data });
  }
}

function problemView({ remedy, ...problem }: NetworkProblem): NetworkProblemView {
  return { ...problem, canRepair: remedy !== null };
}
