import type { VmId } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { RuntimeApi } from './views.js';

/** What a person wants of the policy, and what the journal says of it. */
export interface PersonCommand {
  readonly event: PolicyEvent;
  readonly record: {
    readonly vm: VmId | null;
    readonly text: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

/** What a person says with such a verb. */
export type CommandOptions<Verb extends keyof RuntimeApi> = RuntimeApi[Verb] extends (
  options: infer O,
) => Promise<void>
  ? O
  : never;

export function holdCommand(options: CommandOptions<'hold'>, now: number): PersonCommand {
  const { vm, reason, author, forMs } = options;
  const untilMs = forMs === null ? null : now + forMs;
  const until = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return {
    event: { type: 'hold', vm, reason, author, untilMs },
    record: {
      vm,
      text: `recovery of ${vm ?? 'all VMs'} held by ${author}${until}: ${reason}`,
      data: { verb: 'hold', author, reason, untilMs },
    },
  };
}

export function resumeCommand({ vm, author }: CommandOptions<'resume'>): PersonCommand {
  const text = `recovery of ${vm ?? 'all VMs'} resumed by ${author}`;
  return { event: { type: 'unhold', vm, author }, record: { vm, text, data: { verb: 'resume', author } } };
}

export function releaseCommand({ vm, author }: CommandOptions<'release'>): PersonCommand {
  const text = `${vm} released from quarantine by ${author}`;
  return { event: { type: 'release', vm, author }, record: { vm, text, data: { verb: 'release', author } } };
}

export function maintenanceCommand(options: CommandOptions<'beginMaintenance'>, now: number): PersonCommand {
  const { vm, reason, author, forMs } = options;
  const untilMs = forMs === null ? null : now + forMs;
  return {
    event: { type: 'maintenance', vm, author, begin: { reason, untilMs } },
    record: {
      vm,
      text: `maintenance of ${vm} begun by ${author}: ${reason}`,
      data: { verb: 'maintenance', author, reason, untilMs },
    },
  };
}

export function endMaintenanceCommand({ vm, author }: CommandOptions<'endMaintenance'>): PersonCommand {
  return {
    event: { type: 'maintenance', vm, author, begin: null },
    record: {
      vm,
      text: `maintenance of ${vm} ended by ${author}`,
      data: { verb: 'end-maintenance', author },
    },
  };
}

export function scheduleCommand({ vm, step, reason, author }: CommandOptions<'schedule'>): PersonCommand {
  return {
    event: { type: 'schedule', vm, step, reason, author },
    record: {
      vm,
      text: `${step} of ${vm} scheduled by ${author}: ${reason}`,
      data: { verb: 'schedule', step, author },
    },
  };
}

export function clearIntentsCommand({ vm, author }: CommandOptions<'clearIntents'>): PersonCommand {
  return {
    event: { type: 'clear-intents', vm, author },
    record: {
      vm,
      text: `intents of ${vm ?? 'all'} withdrawn by ${author}`,
      data: { verb: 'clear-intents', author },
    },
  };
}
