import type { Command } from 'commander';
import { vmAnswer } from '../../daemon/answers/status.js';
import { dryRunOption } from '../changes.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { doneTo, type EachVmOptions, forEachVm } from '../each-vm.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption } from '../format.js';
import { healthOption, tagOption, vmsArgument } from '../selectors.js';

/** `vmpulse vm release`. */
export function addRelease(vm: Command, cli: Cli): void {
  vm.command('release')
    .description(
      'Lets VMs out of quarantine: recovery may act on them again. Only the budget of recoveries in a row starts over, not that of 24 hours. Also takes back that somebody outside stopped them.',
    )
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm release default/web-1', 'after its cause was put right'],
        ['vmpulse vm release --health-status quarantined', 'all that are in quarantine'],
      ),
    )
    .action((names: readonly string[], options: EachVmOptions, command) =>
      withDaemon(command, cli, (client) =>
        forEachVm(cli, client, names, options, {
          verb: 'release',
          disturbs: false,
          work: async ({ id }) => {
            const path = `${vmPath('/v1/vms', id)}/release`;
            const vm = await client.post(path, { author: author() }, asCame(vmAnswer));
            return doneTo(cli, vm, (health) => `${id} released; it is ${health}`);
          },
        }),
      ),
    );
}
