import type { Command } from 'commander';
import { vmHealthAnswer } from '../../daemon/answers/health.js';
import { dryRunOption, yesOption } from '../changes.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { type EachVmOptions, forEachVm } from '../each-vm.js';
import { examples } from '../examples.js';
import { formatOption, jsonOption } from '../format.js';
import { healthOption, tagOption, vmsArgument } from '../selectors.js';

interface ResetOptions extends EachVmOptions {
  readonly clearHistory?: boolean;
}

/** `vmpulse health reset`. */
export function addReset(health: Command, cli: Cli): void {
  health
    .command('reset')
    .description(
      'Has thresholds of probes start over: what was counted is forgotten, a readiness probe has to succeed again. Without names: of all VMs. Budgets, holds and quarantine stay.',
    )
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .option(
      '--clear-history',
      'former episodes too; health history and report begin now. The journal keeps what it has',
    )
    .addOption(yesOption())
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse health reset db', 'one VM'],
        ['vmpulse health reset --clear-history --yes', 'all VMs, with what failed before'],
      ),
    )
    .action((names: string[], { clearHistory = false, ...options }: ResetOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const isOpen = options.tag !== undefined || options.healthStatus !== undefined;
        const chosen = names.length === 0 && !isOpen ? ['*'] : names;
        await forEachVm(cli, client, chosen, options, {
          verb: 'reset the probes of',
          disturbs: true,
          work: async ({ id }) => {
            const path = `${vmPath('/v1/vms', id)}/health-reset`;
            await client.post(path, { author: author(), clearHistory }, vmHealthAnswer);
            return { text: `${id}: its probes start over${clearHistory ? ', and its history' : ''}` };
          },
        });
      }),
    );
}
