import { isIP } from 'node:net';
import { z } from 'zod';
import type { Deadline } from '../model/deadline.js';
import type { ToldAddress } from '../model/guest.js';
import type { AgentPort } from './agent-port.js';
import { parseAnswer } from './answer.js';

/** What of an answer is looked at; a guest may tell of any number. */
const MAX_INTERFACES = 1024;
const MAX_ADDRESSES = 256;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

const INTERFACES = z
  .array(
    z.object({
      'hardware-address': z.string().optional(),
      'ip-addresses': z
        .array(z.object({ 'ip-address': z.string() }))
        .max(1024)
        .optional(),
    }),
  )
  .max(MAX_INTERFACES);

/** Asks for the addresses of the guest's network devices; both agents know the question. At most 256 are given. */
export async function toldAddresses(agent: AgentPort, deadline: Deadline): Promise<readonly ToldAddress[]> {
  const answer = await agent.request('guest-network-get-interfaces', undefined, deadline.step());
  return parseAnswer(INTERFACES, answer)
    .flatMap((device) => {
      const mac = device['hardware-address']?.toLowerCase() ?? '';
      if (!MAC.test(mac)) return [];
      const told = device['ip-addresses'] ?? [];
      return told.flatMap((one) => (isIP(one['ip-address']) === 0 ? [] : [{ mac, ip: one['ip-address'] }]));
    })
    .slice(0, MAX_ADDRESSES);
}
