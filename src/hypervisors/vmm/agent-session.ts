import type { Channel } from '../../engine/probe-engine.js';
import { GuestAgents } from '../../guest-agent/guest-agents.js';
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

/** The channels to the agents of a guest; the session owns them. */
export interface AgentSessionParts {
  readonly agents: { readonly qemu?: Channel | undefined; readonly vmpulse?: Channel | undefined };
}

/** The attachment to a VMM whose guest is asked by channels of the engine. */
export abstract class AgentVmmSession<Spec extends ProcessSpec, Paths extends VmPaths> extends BaseVmmSession<
  Spec,
  Paths
> {
  readonly agent?: Channel;
  readonly #guest: GuestAgents;

  /** As of BaseVmmSession. */
  constructor(
    parts: SessionParts<Spec, Paths> & AgentSessionParts,
    monitor: Channel,
    others: readonly Channel[],
    logs: readonly string[] = [],
  ) {
    const { qemu, vmpulse } = parts.agents;
    const own = [qemu, vmpulse].filter((channel) => channel !== undefined);
    super(parts, monitor, [...others, ...own], logs);
    this.#guest = new GuestAgents(parts.vm.id, parts.agents);
    // Both answer a ping.
    const agent = qemu ?? vmpulse;
    if (agent !== undefined) this.agent = agent;
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
