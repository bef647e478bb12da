import { z } from 'zod';
import type { ProbeCheck } from '../model/probe.js';
import { defineKind, missingContext } from './probe-kind.js';
import { parseSocketPath } from './target-text.js';

type VmStateCheck = Extract<ProbeCheck, { kind: 'vmState' }>;

const TARGET = 'the path of the QMP socket, for example /run/vm.qmp';

/** Asks the hypervisor for the VM's run state; ok when it runs. */
export const vmState = defineKind<VmStateCheck>({
  kind: 'vmState',
  aliases: ['qmp'],
  summary: 'asks the hypervisor for the run state (QMP query-status)',
  targetHelp: TARGET,
  schema: z.strictObject({}).transform((): VmStateCheck => ({ kind: 'vmState' })),
  parseTarget: (text, name) => ({
    check: { kind: 'vmState' },
    channel: { protocol: 'qmp', path: parseSocketPath(text, name, TARGET) },
  }),
  lookups: () => ({ channel: 'monitor' }),
  lower: (_check, { channels }) => {
    if (channels?.monitor === undefined) throw missingContext('vmState', "the VM's monitor channel");
    return { kind: 'vmState', channel: channels.monitor };
  },
  label: () => 'run state of the VM',
});
