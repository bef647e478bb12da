import type { Channel } from '../engine/probe-engine.js';

/** The vsock port on which vmpulse's own agent listens in its guest. */
export const AGENT_VSOCK_PORT = 9720;

/** One way to an agent: commands with deadlines, as on a channel of the engine. */
export type AgentPort = Pick<Channel, 'connected' | 'request'>;
