import { z } from 'zod';
import { isVmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { ProbeCheck } from '../model/probe.js';
import type { Finding } from './external.js';
import { AGENT_TARGET, parseAgentTarget } from './guest/agent-target.js';
import { defineKind, missingContext } from './probe-kind.js';

type GuestAgentPingCheck = Extract<ProbeCheck, { kind: 'guestAgentPing' }>;

/** Asks the QEMU guest agent for `guest-ping`. */
export const guestAgentPing = defineKind<GuestAgentPingCheck>({
  kind: 'guestAgentPing',
  aliases: ['qga'],
  summary: 'asks the QEMU guest agent for a sign of life',
  targetHelp: AGENT_TARGET,
  schema: z.strictObject({}).transform((): GuestAgentPingCheck => ({ kind: 'guestAgentPing' })),
  parseTarget: (text, name) => ({
    check: { kind: 'guestAgentPing' },
    channel: parseAgentTarget(text, name),
  }),
  lookups: () => ({ channel: 'agent' }),
  lower: (_check, { channels }) => {
    if (channels?.agent === undefined) throw missingContext('guestAgentPing', "the VM's agent channel");
    return { kind: 'guestAgentPing', channel: channels.agent };
  },
  open: (_check, { guest }) => {
    const ping = guest?.ping;
    return (
      ping && {
        late: { result: 'inconclusive', reason: 'prober-late' },
        probe: (options) => askedThroughManager(() => ping(options)),
      }
    );
  },
  label: () => 'guest agent ping',
});

/** Whoever manages the VM is the one client of its agent. */
async function askedThroughManager(ping: () => Promise<void>): Promise<Finding> {
  try {
    await ping();
    return { outcome: { result: 'ok' } };
  } catch (error) {
    if (!isVmpulseError(error)) throw error;
    const message = plainText(error.message);
    if (String(error.details.class).startsWith('agent-'))
      return { outcome: { result: 'failed', reason: 'agent-not-connected' }, message };
    if (error.code === 'ERR_VMPULSE_COMMAND')
      return { outcome: { result: 'failed', reason: 'agent-error' }, message };
    throw error;
  }
}
