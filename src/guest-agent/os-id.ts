import { z } from 'zod';
import type { Deadline } from '../model/deadline.js';
import type { AgentPort } from './agent-port.js';
import { parseAnswer } from './answer.js';

const OS_INFO = z.object({
  id: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/)
    .optional(),
});

/** What the guest calls its system: os-release's ID, `mswindows`, or nothing where there is no such file. */
export async function guestOsId(agent: AgentPort, deadline: Deadline): Promise<string | undefined> {
  return parseAnswer(OS_INFO, await agent.request('guest-get-osinfo', undefined, deadline.step())).id;
}
