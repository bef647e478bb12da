import type { Channel } from '../engine/probe-engine.js';

/** One way to an agent: commands with deadlines, as on a channel of the engine. */
export type AgentPort = Pick<Channel, 'connected' | 'request'>;
