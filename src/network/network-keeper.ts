import { access, constants } from 'node:fs/promises';
import { resolveAccount } from '../kernel/users.js';
import { errorMessage, isVmpulseError, type VmpulseError } from '../model/errors.js';
import { type HostNetwork, isManaged, type Tap, tapsOf } from '../model/link.js';
import type { CallOptions, NetworkPort } from '../model/ports.js';
import { runAsOf, type VmId, type VmSpec } from '../model/vm.js';
import { bounceTap, ensureBridge, ensureTap, networkError } from './ensure.js';
import type { Forwarding } from './forwarding.js';
import { inspectNetwork, inspectVm, type NetworkProblem, type Remedy } from './inspect.js';
import type { Links } from './links.js';
import type { RuleKeeper } from './rule-keeper.js';

export interface NetworkKeeperOptions {
  readonly networks: () => readonly HostNetwork[];
  readonly hostName: string;
  readonly links: Links;
  readonly forwarding: Forwarding;
  readonly rules: RuleKeeper;
  readonly vms: () => readonly VmSpec[];
  /** A VMM of it runs, as far as is known. */
  readonly isRunning: (vm: VmId) => boolean;
  /** Why devices can neither be read nor changed on this host; undefined: they can. */
  readonly unavailable: () => VmpulseError | undefined;
}

/** What repair did, or would do; and what is wrong then. */
export interface Repaired {
  readonly done: readonly string[];
  readonly problems: readonly NetworkProblem[];
}

/** Makes the networks of the host and the devices of its VMs as the documents say, and keeps them so when asked. */
export class NetworkKeeper implements NetworkPort {
  readonly #options: NetworkKeeperOptions;

  constructor(options: NetworkKeeperOptions) {
    this.#options = options;
  }

  /** Makes every network with what belongs to it. Throws what hindered it, after it has tried the others. */
  async makeNetworks(options: CallOptions): Promise<void> {
    const { networks, rules } = this.#options;
    const errors: string[] = [];
    const attempt = (make: () => Promise<unknown>) =>
      make().catch((error: unknown) => errors.push(errorMessage(error)));
    for (const network of networks()) await attempt(() => this.#makeNetwork(network));
    await attempt(() => rules.apply(options));
    if (errors.length > 0) throw networkError(errors.join('; '));
  }

  /**
   * Makes those of other networks whose bridge is not there, so that their addresses can be listened on before they hold.
   * Gives what takes them away again. One that cannot be made is told once it holds.
   */
  begin(networks: readonly HostNetwork[]): () => void {
    const { links, hostName, unavailable } = this.#options;
    if (unavailable() !== undefined) return () => {};
    const made = networks.filter(({ bridge }) => links.info(bridge) === undefined);
    for (const network of made) quietly(() => ensureBridge(network, hostName, links));
    return () => {
      for (const { bridge } of made) quietly(() => links.remove(bridge));
    };
  }

  async startProblems(vm: VmSpec): Promise<readonly string[]> {
    const { links, networks } = this.#options;
    const taps = tapsOf(vm).filter(isManaged);
    if (taps.length === 0) return [];
    const missing = this.#options.unavailable();
    if (missing !== undefined) return [`network: ${missing.message}`];
    const problems = taps.flatMap(({ device, bridge, create }) => {
      const link = links.info(device);
      const isMade = bridge === undefined || networks().some((network) => network.bridge === bridge);
      return [
        ...(create === true && link !== undefined && link.tun?.type !== 'tap'
          ? [`${device} is there and is no TAP device; name another`]
          : []),
        ...(!isMade && links.info(bridge)?.kind !== 'bridge' ? [`there is no bridge ${bridge}`] : []),
      ];
    });
    const mustMake = taps.some(({ device, create }) => create === true && links.info(device) === undefined);
    if (mustMake && !(await isThere('/dev/net/tun'))) problems.push('there is no /dev/net/tun');
    return problems.map((problem) => `network: ${problem}`);
  }

  async prepare(vm: VmSpec): Promise<void> {
    const taps = tapsOf(vm).filter(isManaged);
    if (taps.length > 0) this.#requireAvailable();
    for (const tap of taps) await this.#makeTap(vm, tap);
  }

  async reset(vm: VmSpec, options: CallOptions): Promise<readonly string[]> {
    this.#requireAvailable();
    const { links, rules } = this.#options;
    const done: string[] = [];
    for (const tap of tapsOf(vm).filter(isManaged)) {
      const made = await this.#makeTap(vm, tap);
      // What was wrong is put right; where nothing was, its bridge forgets what it has learned.
      done.push(...(made.length > 0 ? made : bounceTap(tap, links)));
    }
    if (!(await rules.isIntact(options))) {
      await rules.apply(options);
      done.push('rules applied');
    }
    return done;
  }

  /** What is wrong with the networks and devices of the host, or only with those of one VM. */
  async check(vm: VmSpec | null, options: CallOptions): Promise<readonly NetworkProblem[]> {
    const { links, forwarding, vms, isRunning, unavailable } = this.#options;
    const networks = this.#options.networks();
    const missing = unavailable();
    if (missing !== undefined) return [hostProblem('unreadable', missing.message, null)];
    const used = vm === null ? networks : this.#networksOf(vm);
    const problems = (await Promise.all(used.map((each) => inspectNetwork(each, links, forwarding)))).flat();
    for (const each of vm === null ? vms() : [vm])
      problems.push(...inspectVm(each, isRunning(each.id), networks, links));
    problems.push(...(await this.#checkRules(options)));
    return problems;
  }

  /** Puts right what can be, and says what is wrong then; `dryRun`: says what would be done. */
  async repair(vm: VmSpec | null, dryRun: boolean, options: CallOptions): Promise<Repaired> {
    const problems = await this.check(vm, options);
    const remedies = new Map<string, Remedy>();
    for (const { remedy } of problems) if (remedy !== null) remedies.set(remedyText(remedy), remedy);
    if (dryRun) return { done: [...remedies.keys()], problems };
    const done: string[] = [];
    for (const remedy of remedies.values()) done.push(...(await this.#carryOut(remedy, options)));
    return { done, problems: await this.check(vm, options) };
  }

  async #carryOut(remedy: Remedy, options: CallOptions): Promise<readonly string[]> {
    const { forwarding, rules } = this.#options;
    switch (remedy.make) {
      case 'bridge':
        return this.#makeNetwork(remedy.network);
      case 'tap':
        return (
          await Promise.all(
            tapsOf(remedy.vm)
              .filter(({ device }) => device === remedy.device)
              .map((tap) => this.#makeTap(remedy.vm, tap)),
          )
        ).flat();
      case 'forwarding':
        await forwarding.switchOn(remedy.family);
        return [`forwarding of IPv${remedy.family} switched on`];
      case 'rules':
        await rules.apply(options);
        return ['rules applied'];
    }
  }

  /** The device with its bridge, where that is one of ours. Says what it did. */
  async #makeTap(vm: VmSpec, tap: Tap): Promise<readonly string[]> {
    const { networks, links } = this.#options;
    const network = networks().find(({ bridge }) => bridge === tap.bridge);
    const bridge = network === undefined ? [] : await this.#makeNetwork(network);
    const runAs = runAsOf(vm);
    const user = runAs === undefined ? undefined : (await resolveAccount(runAs)).uid;
    return [...bridge, ...ensureTap(tap, user, links)];
  }

  async #makeNetwork(network: HostNetwork): Promise<readonly string[]> {
    const { links, forwarding, hostName } = this.#options;
    const done = [...ensureBridge(network, hostName, links)];
    for (const { remedy } of await inspectNetwork(network, links, forwarding)) {
      if (remedy?.make !== 'forwarding') continue;
      await forwarding.switchOn(remedy.family);
      done.push(`forwarding of IPv${remedy.family} switched on`);
    }
    return done;
  }

  async #checkRules(options: CallOptions): Promise<readonly NetworkProblem[]> {
    try {
      if (await this.#options.rules.isIntact(options)) return [];
      const text = "vmpulse's own rules of the packet filter are not as they were made";
      return [hostProblem('rules-missing', text, { make: 'rules' })];
    } catch (error) {
      if (!isVmpulseError(error)) throw error;
      return [hostProblem('unreadable', error.message, null)];
    }
  }

  #networksOf(vm: VmSpec): readonly HostNetwork[] {
    const bridges = new Set(tapsOf(vm).map(({ bridge }) => bridge));
    return this.#options.networks().filter(({ bridge }) => bridges.has(bridge));
  }

  #requireAvailable(): void {
    const missing = this.#options.unavailable();
    if (missing !== undefined) throw missing;
  }
}

/** What fails here is found and told by who looks next. */
function quietly(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!isVmpulseError(error)) throw error;
  }
}

function hostProblem(
  fault: 'rules-missing' | 'unreadable',
  text: string,
  remedy: Remedy | null,
): NetworkProblem {
  return { fault, device: null, vm: null, text, remedy };
}

/** What repair would do, for a person. */
function remedyText(remedy: Remedy): string {
  switch (remedy.make) {
    case 'bridge': {
      const { bridge, address } = remedy.network;
      return `make bridge ${bridge}${address === undefined ? '' : ` with ${address}`} and set it up`;
    }
    case 'tap':
      return `make ${remedy.device} of ${remedy.vm.id} as its document says, with its bridge, and set it up`;
    case 'forwarding':
      return `switch forwarding of IPv${remedy.family} on`;
    case 'rules':
      return 'apply the rules of the packet filter';
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
