import { randomInt } from 'node:crypto';
import type { ChannelOptions } from '../../probe-engine.js';
import { USER_AGENT } from '../user-agent.js';
import { EventSession } from './event-session.js';
import { HybridAgentSession } from './hybrid-agent-session.js';
import { QgaSession } from './qga-session.js';
import { QmpSession } from './qmp-session.js';
import { RestSession } from './rest-session.js';
import type { Session } from './session.js';

type Protocol = ChannelOptions['protocol'];

/** Whether the peer speaks first, or is asked to. */
export function greets(protocol: Protocol): boolean {
  return protocol === 'qmp' || protocol === 'qga';
}

/** A session for a new connection; `vsockPort`: of an agent behind a hybrid vsock socket. */
export function newSession(protocol: Protocol, vsockPort: number | undefined): Session {
  switch (protocol) {
    case 'qmp':
      return new QmpSession();
    case 'qga':
      return agentSession(vsockPort, randomInt(2 ** 32));
    case 'cloud-hypervisor':
    case 'firecracker':
      return new RestSession(USER_AGENT);
    case 'cloud-hypervisor-events':
      return new EventSession();
  }
}

function agentSession(vsockPort: number | undefined, seed: number): Session {
  return vsockPort === undefined ? new QgaSession(seed) : new HybridAgentSession(vsockPort, seed);
}
