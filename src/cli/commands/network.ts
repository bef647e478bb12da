import { networkAnswer, repairAnswer } from '../../daemon/answers/network.js';
import { author, type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { problemsText } from '../text/network-text.js';

interface RepairOptions {
  readonly dryRun?: true;
  readonly json?: true;
}

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
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse network check default/web-1', 'of one VM']))
      .action((vm: string | undefined, options: { readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          const query = vm === undefined ? '' : `?vm=${encodeURIComponent(vm)}`;
          const answer = await client.get(`/v1/network${query}`, networkAnswer);
          cli.stdout.write(options.json ? json(answer) : problemsText(answer.problems));
          if (answer.problems.length > 0) cli.setExitCode(EXIT.failed);
        }),
      );
    network
      .command('repair')
      .description(
        'Makes what is missing, sets up what is down, puts devices back on their bridges, applies the rules. Touches only what the documents name. Status 1 when something is wrong after it.',
      )
      .argument('[vm]', 'name or namespace/name; without it the whole host')
      .option('--dry-run', 'only say what would be done')
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse network repair web-1 --dry-run', 'what would be done?']))
      .action((vm: string | undefined, options: RepairOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const dryRun = options.dryRun === true;
          const body = { vm, dryRun, author: author() };
          const answer = await client.post('/v1/network/repair', body, repairAnswer);
          const done = answer.done.map((what) => `${dryRun ? 'would ' : ''}${what}\n`).join('');
          cli.stdout.write(options.json ? json(answer) : `${done}${problemsText(answer.problems)}`);
          if (answer.problems.length > 0) cli.setExitCode(EXIT.failed);
        }),
      );
  },
};
