import { z } from 'zod';
import type { ProbeCheck } from '../model/probe.js';
import { defineKind, missingContext, type ProbeTarget } from './probe-kind.js';
import { parseSocketPath } from './target-text.js';

type VmStateCheck = Extract<ProbeCheck, { kind: 'vmState' }>;

const TARGET =
  'the path of the QMP socket, for example /run/vm.qmp, or of an API: ch:/run/ch.sock (Cloud Hypervisor), fc:/run/fc.sock (Firecracker)';

/** What stands in front of the path. */
const PROTOCOLS = { qmp: 'qmp', ch: 'cloud-hypervisor', fc: 'firecracker' } as const;

function parseChannel(text: string, name: string): NonNullable<ProbeTarget['channel']> {
  const [, prefix, rest] = /^(qmp|ch|fc):(.*)$/s.exec(text) ?? [];
  const protocol = Object.entries(PROTOCOLS).find(([short]) => short === prefix)?.[1] ?? 'qmp';
  return { protocol, path: parseSocketPath(rest ?? text, name, TARGET) };
}

/** Asks the hypervisor for the VM's run state; ok when it runs. */
export const vmState = defineKind<VmStateCheck>({
  kind: 'vmState',
  aliases: ['vmstate', 'qmp'],
  summary: 'asks the hypervisor for the run state (QMP, Cloud Hypervisor, Firecracker)',
  targetHelp: TARGET,
  schema: z.strictObject({}).transform((): VmStateCheck => ({ kind: 'vmState' })),
  parseTarget: (text, name) => ({
    check: { kind: 'vmState' },
    channel: parseChannel(text, name),
  }),
  lookups: () => ({ channel: 'monitor' }),
  lower: (_check, { channels }) => {
    if (channels?.monitor === undefined) throw missingContext('vmState', "the VM's monitor channel");
    return { kind: 'vmState', channel: channels.monitor };
  },
  label: () => 'run state of the VM',
});
