import { z } from 'zod';
import type { Channel } from '../engine/probe-engine.js';
import type { CallOptions } from '../model/ports.js';
import type { AgentChannels } from './guest-agents.js';

const INFO = z.object({ agent: z.string().optional() });

/** Which agent answers on a channel: both speak the same protocol, and ours says that it is ours. */
export async function whichAgent(channel: Channel, options: CallOptions): Promise<AgentChannels> {
  const info = INFO.safeParse(await channel.request('guest-info', undefined, options));
  return info.data?.agent === 'vmpulse-agent' ? { vmpulse: channel } : { qemu: channel };
}
