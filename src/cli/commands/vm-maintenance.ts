import { Argument, type Command } from 'commander';
import { vmAnswer } from '../../daemon/answers/status.js';
import { SCHEDULABLE } from '../../model/action.js';
import { dryRunOption, yesOption } from '../changes.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { doneTo, type EachVmOptions, forEachVm } from '../each-vm.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { healthOption, tagOption, vmsArgument } from '../selectors.js';

interface BeginOptions extends EachVmOptions {
  readonly for?: number;
  readonly reason: string;
}

interface ScheduleOptions extends EachVmOptions {
  readonly reason: string;
}

/** `vmpulse vm maintenance` and `vmpulse vm schedule`. */
export function addVmMaintenance(vm: Command, cli: Cli): void {
  const maintenance = vm
    .command('maintenance')
    .summary('a person works on a VM')
    .description(
      'While a VM is in maintenance nothing is done to it, whatever it looks like; probing goes on.',
    )
    .addHelpText('after', examples(['vmpulse vm maintenance end db', 'recovery goes on']));
  addBegin(maintenance, cli, 'begin');
  addEnd(maintenance, cli, 'end');
  addSchedule(vm, cli);
}

/** `name` is `begin` of `vm maintenance`, `start` of `maintenance`. */
export function addBegin(maintenance: Command, cli: Cli, name: string): void {
  maintenance
    .command(name)
    .description('Nothing is done to the VMs, until ended or for a time. Who and why is recorded.')
    .addArgument(vmsArgument())
    .option('--for <time>', 'end by itself after this, for example 10m or 1h30m', parseTime)
    .requiredOption('--reason <text>', 'why; shown by status and kept in the journal')
    .addOption(tagOption())
    .addOption(healthOption())
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(['vmpulse vm maintenance begin db --for 2h --reason "kernel update"', 'for two hours']),
    )
    .action((names: readonly string[], options: BeginOptions, command) =>
      withDaemon(command, cli, (client) =>
        forEachVm(cli, client, names, options, {
          verb: 'begin maintenance of',
          disturbs: false,
          work: async ({ id }) => {
            const body = { reason: options.reason, author: author(), forMs: options.for };
            const path = `${vmPath('/v1/vms', id)}/maintenance`;
            const vm = await client.post(path, body, asCame(vmAnswer));
            return doneTo(cli, vm, (health) => `${id} is in maintenance; it is ${health}`);
          },
        }),
      ),
    );
}

/** `name` is `end` of `vm maintenance`, `stop` of `maintenance`. */
export function addEnd(maintenance: Command, cli: Cli, name: string): void {
  maintenance
    .command(name)
    .description('Recovery of the VMs goes on.')
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse vm maintenance end db', 'the update is done']))
    .action((names: readonly string[], options: EachVmOptions, command) =>
      withDaemon(command, cli, (client) =>
        forEachVm(cli, client, names, options, {
          verb: 'end maintenance of',
          disturbs: false,
          work: async ({ id }) => {
            const path = `${vmPath('/v1/vms', id)}/end-maintenance`;
            const vm = await client.post(path, { author: author() }, asCame(vmAnswer));
            return doneTo(cli, vm, (health) => `maintenance of ${id} is over; it is ${health}`);
          },
        }),
      ),
    );
}

function addSchedule(vm: Command, cli: Cli): void {
  vm.command('schedule')
    .description(
      'Has VMs rebooted, cleaned up or repaired once: each within its action windows, while it is well and nothing holds.',
    )
    .addArgument(new Argument('<step>', 'what is to be done').choices(SCHEDULABLE))
    .addArgument(vmsArgument())
    .requiredOption('--reason <text>', 'why; kept in the journal')
    .addOption(tagOption())
    .addOption(healthOption())
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(['vmpulse vm schedule reboot db --reason "new kernel"', 'in the next action window of db']),
    )
    .action((step: string, names: readonly string[], options: ScheduleOptions, command) =>
      withDaemon(command, cli, (client) =>
        forEachVm(cli, client, names, options, {
          verb: `schedule ${step} of`,
          disturbs: true,
          work: async ({ id }) => {
            const body = { step, reason: options.reason, author: author() };
            await client.post(`${vmPath('/v1/vms', id)}/schedule`, body, vmAnswer);
            return { text: `${step} of ${id} is scheduled; vmpulse explain ${id} says when` };
          },
        }),
      ),
    );
}
