import { networkAnswer, repairAnswer } from '../../daemon/answers/network.js';
import { type ChangeOptions, dryRunOption } from '../changes.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { problemsText } from '../text/network-text.js';

/** `vmpulse network check` and `vmpulse network repair`. */
export const networkCommand: CliCommand = {
  register(program, cli) {
    const network = program
      .command('network')
      .summary("the host's side of the VMs' networks")
      .description(
        'Bridges, TAP devices, NAT and rules of the packet filter, as the documents say they should be.',
      )
      .addHelpText('after', examples(['vmpulse network check', 'what is wrong?']));
    network
      .command('check')
      .description('Says what is wrong, of the whole host or of one VM. Status 1 when something is.')
      .argument('[vm]', 'name or namespace/name; without it the whole host')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse network check default/web-1', 'of one VM']))
      .action((vm: string | undefined, options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const query = vm === undefined ? '' : `?vm=${encodeURIComponent(vm)}`;
          const answer = await client.get(`/v1/network${query}`, asCame(networkAnswer));
          await show(cli, options, answer, ({ problems }) => problemsText(problems));
          if (answer.shown.problems.length > 0) cli.setExitCode(EXIT.failed);
        }),
      );
    network
      .command('repair')
      .description(
        'Makes what is missing, sets up what is down, puts devices back on their bridges, applies the rules. Touches only what the documents name. Status 1 when something is wrong after it.',
      )
      .argument('[vm]', 'name or namespace/name; without it the whole host')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse network repair web-1 --dry-run', 'what would be done?']))
      .action((vm: string | undefined, options: ChangeOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const dryRun = options.dryRun === true;
          const body = { vm, dryRun, author: author() };
          const answer = await client.post('/v1/network/repair', body, asCame(repairAnswer));
          await show(cli, options, answer, ({ done, problems }) => {
            const lines = done.map((what) => `${dryRun ? 'would ' : ''}${what}\n`);
            return `${lines.join('')}${problemsText(problems)}`;
          });
          if (answer.shown.problems.length > 0) cli.setExitCode(EXIT.failed);
        }),
      );
  },
};
