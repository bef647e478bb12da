import type { Channel } from '../../engine/probe-engine.js';
import { type AgentChannels, GuestAgents } from '../../guest-agent/guest-agents.js';
import type {
  GuestCommandOptions,
  GuestCommandResult,
  GuestResources,
  ToldAddress,
} from '../../model/guest.js';
import type { CallOptions } from '../../model/ports.js';
import type { VmPaths } from './paths.js';
import type { ProcessSpec } from './process-spec.js';
import { BaseVmmSession, type SessionParts } from './vmm-session.js';

/** What the attachments to VMMs have in common that ask the guest through its agents, whatever leads to them. */
export abstract class GuestVmmSession<Spec extends ProcessSpec, Paths extends VmPaths> extends BaseVmmSession<
  Spec,
  Paths
> {
  readonly #guest: GuestAgents;

  /** As of BaseVmmSession; `agents`: the ways to those that the guest has. */
  constructor(
    parts: SessionParts<Spec, Paths>,
    agents: AgentChannels,
    monitor: Channel | undefined,
    others: readonly Channel[],
    logs: readonly string[] = [],
  ) {
    super(parts, monitor, others, logs);
    this.#guest = new GuestAgents(parts.vm.id, agents);
  }

  async exec(argv: readonly string[], options: GuestCommandOptions): Promise<GuestCommandResult> {
    this.running(`guest command ${argv[0]}`, options);
    return this.#guest.exec(argv, options);
  }

  async resources(options: CallOptions): Promise<GuestResources> {
    this.running('resources', options);
    return this.#guest.resources(options);
  }

  async addresses(options: CallOptions): Promise<readonly ToldAddress[]> {
    this.running('addresses', options);
    return this.#guest.addresses(options);
  }

  async osId(options: CallOptions): Promise<string | undefined> {
    this.running('question for the guest system', options);
    return this.#guest.osId(options);
  }
}
