import { VmpulseError } from '../model/errors.js';
import { type HostNetwork, tapsOf } from '../model/link.js';
import type { CallOptions } from '../model/ports.js';
import { Turns } from '../model/turns.js';
import type { VmId, VmSpec } from '../model/vm.js';
import type { Links } from './links.js';
import type { PacketFilter } from './nft.js';
import {
  completeRule,
  DEFAULT_GROUP,
  type GroupPolicy,
  isSameRule,
  MAX_RULES_A_GROUP,
  type NewRule,
  type SecurityGroup,
  type SecurityRule,
} from './rules/group.js';
import type { GroupStore } from './rules/group-store.js';
import { renderRemoval, renderRules, TABLES } from './rules/render.js';

export interface RuleKeeperOptions {
  readonly store: GroupStore;
  readonly filter: PacketFilter;
  readonly links: Pick<Links, 'info'>;
  readonly networks: () => readonly HostNetwork[];
  readonly vms: () => readonly VmSpec[];
  readonly now: () => number;
}

/** Needs the kernel's memory of conversations between the ports of a bridge (nf_conntrack_bridge). */
const TRACKING = 'table bridge vmpulse {\n  chain tracking {\n    ct state established accept\n  }\n}\n';

/** Keeps vmpulse's own tables of the packet filter as networks and security groups say. */
export class RuleKeeper {
  readonly #options: RuleKeeperOptions;
  /** Our tables as they were right after they were made, to see whether others have changed them. */
  readonly #listed = new Map<string, string | undefined>();
  #tracksBridges: boolean | undefined;
  readonly #turns = new Turns();

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
  }

  get groups(): ReadonlyMap<string, SecurityGroup> {
    return this.#options.store.groups;
  }

  /** Makes the tables as they shall be, or removes them where nothing is wanted any more. One at a time. */
  apply(options: CallOptions): Promise<void> {
    return this.#turns.take(() => this.#apply(options));
  }

  /** Whether the tables are as they were made. */
  async isIntact(options: CallOptions): Promise<boolean> {
    if (this.#script() === null) return true;
    for (const table of TABLES)
      if ((await this.#options.filter.read(table, options)) !== this.#listed.get(table)) return false;
    return this.#listed.size > 0;
  }

  /** Adds a rule and applies it; the one that lets the same through already is given back. Nothing changes on errors. */
  async addRule(group: string, rule: NewRule, author: string, options: CallOptions): Promise<SecurityRule> {
    return this.#turns.take(async () => {
      const { store, now } = this.#options;
      const before = store.group(group);
      const last = Math.max(0, ...before.rules.map(({ id }) => Number(id.slice(1))));
      const added = completeRule(rule, { id: `r${last + 1}`, author, addedAtMs: now() });
      const same = before.rules.find((known) => isSameRule(known, added));
      if (same !== undefined) return same;
      if (before.rules.length >= MAX_RULES_A_GROUP)
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${group} has ${MAX_RULES_A_GROUP} rules already`);
      await this.#change(group, { ...before, rules: [...before.rules, added] }, options);
      return added;
    });
  }

  async removeRule(group: string, id: string, options: CallOptions): Promise<SecurityRule> {
    return this.#turns.take(async () => {
      const before = this.#options.store.group(group);
      const removed = before.rules.find((rule) => rule.id === id);
      if (removed === undefined) {
        const known = before.rules.map((rule) => rule.id).join(', ') || 'none';
        throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${group} has no rule ${id}; its rules: ${known}`);
      }
      await this.#change(group, { ...before, rules: before.rules.filter((r) => r !== removed) }, options);
      return removed;
    });
  }

  /** Null: that of the group `default`, or of that one itself accept. */
  async setPolicy(group: string, policy: GroupPolicy | null, options: CallOptions): Promise<void> {
    await this.#turns.take(() =>
      this.#change(group, { ...this.#options.store.group(group), policy }, options),
    );
  }

  /** Stored first, so that what holds also holds after a crash; taken back where it cannot be applied. */
  async #change(name: string, group: SecurityGroup, options: CallOptions): Promise<void> {
    const { store } = this.#options;
    const before = store.group(name);
    await store.set(name, group);
    try {
      await this.#apply(options);
    } catch (error) {
      await store.set(name, before);
      throw error;
    }
  }

  async #apply(options: CallOptions): Promise<void> {
    const { store, filter } = this.#options;
    store.assertLoaded();
    if (this.#script() !== null) this.#tracksBridges ??= await filter.accepts(TRACKING, options);
    const script = this.#script();
    // Tables of that name that this state never made may be those of another daemon.
    if (script === null && !store.hasApplied) return;
    await store.noteApplied(true);
    await filter.apply(script ?? `${renderRemoval().join('\n')}\n`, options);
    this.#listed.clear();
    if (script === null) await store.noteApplied(false);
    else for (const table of TABLES) this.#listed.set(table, await filter.read(table, options));
  }

  #script(): string | null {
    const { networks, vms, links, store } = this.#options;
    const bridgeOf = (device: string) => links.info(device)?.master ?? undefined;
    const tracksBridges = this.#tracksBridges ?? false;
    return renderRules({ networks: networks(), vms: vms(), groups: store.groups, bridgeOf, tracksBridges });
  }
}

/** The group that a person names: `default`, or that of a VM. */
export function groupName(vm: VmId | null): string {
  return vm ?? DEFAULT_GROUP;
}

/** Whether rules can do anything for the VM: they are about the devices that it has on this host. */
export function canBeGuarded(vm: VmSpec): boolean {
  return tapsOf(vm).length > 0;
}
