import type { AgentPort } from '../../guest-agent/agent-port.js';
import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import type { DomainRef } from './rpc/domain.js';
import type { Libvirt } from './rpc/libvirt.js';

/** libvirt's own wait for the agent; it counts whole seconds. */
const MAX_SECONDS = 60;
const MAX_ANSWER_CHARS = 8 * 1024 * 1024;

/** The QEMU guest agent, through libvirt, which is the one client of its socket. */
export function libvirtAgent(libvirt: Libvirt, domain: DomainRef): AgentPort {
  return {
    // libvirt knows, and says so when it is asked.
    connected: true,
    request: async (command, args, options) => {
      const deadline = new Deadline(`the agent command ${command}`, options);
      const seconds = Math.min(MAX_SECONDS, Math.max(1, Math.floor(deadline.remainingMs() / 1000)));
      const text = JSON.stringify({ execute: command, ...given({ arguments: args }) });
      return resultOf(await libvirt.agentCommand(domain, text, seconds, deadline));
    },
  };
}

function resultOf(text: string): unknown {
  try {
    const answer: unknown = JSON.parse(text.slice(0, MAX_ANSWER_CHARS));
    if (typeof answer === 'object' && answer !== null && 'return' in answer) return answer.return;
  } catch {
    // Said below.
  }
  const shown = plainText(text, 100);
  throw new VmpulseError('ERR_VMPULSE_CHANNEL', `the guest agent answered what is no answer: ${shown}`);
}
