import { Argument, type Command } from 'commander';
import { tokenAnswer } from '../../daemon/answers/guests.js';
import { vmAnswer } from '../../daemon/answers/status.js';
import { SCHEDULABLE } from '../../policy/index.js';
import { author, type Cli, type CliCommand, paintOf, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { parseTime } from '../parse-time.js';
import { paintState } from '../text/paint.js';
import { addAdopt } from './vm-adopt.js';
import { addConsole } from './vm-console.js';
import { addExec } from './vm-exec.js';
import { addVmRemove } from './vm-remove.js';
import { addResize } from './vm-resize.js';
import { addStats } from './vm-stats.js';

/** `vmpulse vm …`. */
export const vmCommand: CliCommand = {
  register(program, cli) {
    const vm = program
      .command('vm')
      .summary('commands about one VM')
      .description('Commands about one VM.')
      .addHelpText('after', examples(['vmpulse vm release default/web-1', 'out of quarantine']));
    vm.command('release')
      .description(
        'Lets a VM out of quarantine: recovery may act on it again. Only the budget of recoveries in a row starts over, not that of 24 hours. Also takes back that somebody outside stopped the VM.',
      )
      .argument('<vm>', 'name or namespace/name')
      .addHelpText('after', examples(['vmpulse vm release default/web-1', 'after its cause was put right']))
      .action((name: string, _options: object, command) =>
        withDaemon(command, cli, async (client) => {
          const path = `${vmPath('/v1/vms', name)}/release`;
          const { id, health } = await client.post(path, { author: author() }, vmAnswer);
          cli.stdout.write(`${id} released; it is ${paintState(health, paintOf(cli))}\n`);
        }),
      );
    vm.command('heartbeat-token')
      .description(
        'Makes a new token with which the VM sends heartbeats, and prints it: only here and only once. The former one does not count any more.',
      )
      .argument('<vm>', 'name or namespace/name')
      .addHelpText('after', examples(['vmpulse vm heartbeat-token default/web-1', 'for the guest']))
      .action((name: string, _options: object, command) =>
        withDaemon(command, cli, async (client) => {
          const path = `${vmPath('/v1/vms', name)}/heartbeat-token`;
          const { token } = await client.post(path, { author: author() }, tokenAnswer);
          cli.stdout.write(`${token}\n`);
        }),
      );
    addExec(vm, cli);
    addStats(vm, cli);
    addConsole(vm, cli);
    addResize(vm, cli);
    addAdopt(vm, cli);
    addVmRemove(vm, cli);
    addMaintenance(vm, cli);
    addSchedule(vm, cli);
  },
};

function addMaintenance(vm: Command, cli: Cli): void {
  const maintenance = vm
    .command('maintenance')
    .summary('a person works on a VM')
    .description(
      'While a VM is in maintenance nothing is done to it, whatever it looks like; probing goes on.',
    )
    .addHelpText('after', examples(['vmpulse vm maintenance end db', 'recovery goes on']));
  maintenance
    .command('begin')
    .description('Nothing is done to the VM, until ended or for a time. Who and why is recorded.')
    .argument('<vm>', 'name or namespace/name')
    .option('--for <time>', 'end by itself after this, for example 10m or 1h30m', parseTime)
    .requiredOption('--reason <text>', 'why; shown by status and kept in the journal')
    .addHelpText(
      'after',
      examples(['vmpulse vm maintenance begin db --for 2h --reason "kernel update"', 'for two hours']),
    )
    .action((name: string, options: { readonly for?: number; readonly reason: string }, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/maintenance`;
        const body = { reason: options.reason, author: author(), forMs: options.for };
        const { id, health } = await client.post(path, body, vmAnswer);
        cli.stdout.write(`${id} is in maintenance; it is ${paintState(health, paintOf(cli))}\n`);
      }),
    );
  maintenance
    .command('end')
    .description('Recovery of the VM goes on.')
    .argument('<vm>', 'name or namespace/name')
    .addHelpText('after', examples(['vmpulse vm maintenance end db', 'the update is done']))
    .action((name: string, _options: object, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/end-maintenance`;
        const { id, health } = await client.post(path, { author: author() }, vmAnswer);
        cli.stdout.write(`maintenance of ${id} is over; it is ${paintState(health, paintOf(cli))}\n`);
      }),
    );
}

function addSchedule(vm: Command, cli: Cli): void {
  vm.command('schedule')
    .description(
      'Has a VM rebooted, cleaned up or repaired once: within its action windows, while it is well and nothing holds.',
    )
    .addArgument(new Argument('<step>', 'what is to be done').choices(SCHEDULABLE))
    .argument('<vm>', 'name or namespace/name')
    .requiredOption('--reason <text>', 'why; kept in the journal')
    .addHelpText(
      'after',
      examples(['vmpulse vm schedule reboot db --reason "new kernel"', 'in the next action window of db']),
    )
    .action((step: string, name: string, { reason }: { readonly reason: string }, command) =>
      withDaemon(command, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/schedule`;
        const { id } = await client.post(path, { step, reason, author: author() }, vmAnswer);
        cli.stdout.write(`${step} of ${id} is scheduled; vmpulse explain ${id} says when\n`);
      }),
    );
}
