import { z } from 'zod';
import { runStateOutcome } from '../engine/portable/channel/run-state.js';
import { isVmpulseError } from '../model/errors.js';
import type { Outcome } from '../model/outcome.js';
import type { ProbeCheck } from '../model/probe.js';
import type { ExternalProbe, ExternalSetting } from './external.js';
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
  open: (_check, { runState }) => runState && askedOfManager(runState),
  label: () => 'run state of the VM',
});

/** A manager that hangs says nothing of its VM: that is inconclusive, unlike a VMM that does not answer its manager. */
function askedOfManager(runState: NonNullable<ExternalSetting['runState']>): ExternalProbe {
  return {
    late: { result: 'inconclusive', reason: 'prober-late' },
    probe: async (options) => {
      try {
        const status = await runState(options);
        return { outcome: runStateOutcome({ running: status === 'running', status }), message: status };
      } catch (error) {
        const outcome = judge(error);
        if (outcome === undefined) throw error;
        return { outcome };
      }
    },
  };
}

function judge(error: unknown): Outcome | undefined {
  if (isVmpulseError(error, 'ERR_VMPULSE_VM_NOT_RUNNING'))
    return { result: 'failed', reason: 'vm-not-running' };
  const isSilent = isVmpulseError(error, 'ERR_VMPULSE_CHANNEL') && error.details.class === 'vmm-silent';
  return isSilent ? { result: 'failed', reason: 'api-unreachable' } : undefined;
}
