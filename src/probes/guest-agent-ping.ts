import { z } from 'zod';
import type { ProbeCheck } from '../model/probe.js';
import { defineKind, missingContext } from './probe-kind.js';
import { parseSocketPath } from './target-text.js';

type GuestAgentPingCheck = Extract<ProbeCheck, { kind: 'guestAgentPing' }>;

const TARGET = 'the path of the agent socket, for example /run/vm.qga';

/** Asks the QEMU guest agent for `guest-ping`. */
export const guestAgentPing = defineKind<GuestAgentPingCheck>({
  kind: 'guestAgentPing',
  aliases: ['qga'],
  summary: 'asks the QEMU guest agent for a sign of life',
  targetHelp: TARGET,
  schema: z.strictObject({}).transform((): GuestAgentPingCheck => ({ kind: 'guestAgentPing' })),
  parseTarget: (text, name) => ({
    check: { kind: 'guestAgentPing' },
    channel: { protocol: 'qga', path: parseSocketPath(text, name, TARGET) },
  }),
  lookups: () => ({ channel: 'agent' }),
  lower: (_check, { channels }) => {
    if (channels?.agent === undefined) throw missingContext('guestAgentPing', "the VM's agent channel");
    return { kind: 'guestAgentPing', channel: channels.agent };
  },
  label: () => 'guest agent ping',
});
