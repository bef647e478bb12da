import type { Channel } from '../../engine/probe-engine.js';
import { GuestVmmSession } from './guest-session.js';
import type { VmPaths } from './paths.js';
import type { ProcessSpec } from './process-spec.js';
import type { SessionParts } from './vmm-session.js';

/** The channels to the agents of a guest; the session owns them. */
export interface AgentSessionParts {
  readonly agents: { readonly qemu?: Channel | undefined; readonly vmpulse?: Channel | undefined };
}

/** The attachment to a VMM whose guest is asked by channels of the engine. */
export abstract class AgentVmmSession<
  Spec extends ProcessSpec,
  Paths extends VmPaths,
> extends GuestVmmSession<Spec, Paths> {
  readonly agent?: Channel;

  /** As of BaseVmmSession. */
  constructor(
    parts: SessionParts<Spec, Paths> & AgentSessionParts,
    monitor: Channel,
    others: readonly Channel[],
    logs: readonly string[] = [],
  ) {
    const { qemu, vmpulse } = parts.agents;
    const own = [qemu, vmpulse].filter((channel) => channel !== undefined);
    super(parts, parts.agents, monitor, [...others, ...own], logs);
    // Both answer a ping.
    const agent = qemu ?? vmpulse;
    if (agent !== undefined) this.agent = agent;
  }
}
