import { intentsAnswer } from '../../daemon/answers/recovery.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { vmId } from '../selectors.js';
import { holdText } from '../text/status-text.js';

/** `vmpulse intent list` and `vmpulse intent clear`. */
export const intentCommand: CliCommand = {
  register(program, cli) {
    const intent = program
      .command('intent')
      .summary('what persons want, and automation obeys')
      .description(
        'Holds, maintenance and stops from outside beat automation until they are withdrawn or their time is over.',
      )
      .addHelpText('after', examples(['vmpulse intent list', 'who wants what, since when and why']));
    intent
      .command('list')
      .description('Lists every intent in force with who, why and until when.')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse intent list --json', 'for a program']))
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const answer = await client.get('/v1/intents', asCame(intentsAnswer));
          await show(cli, options, answer, ({ intents }) => intentsText(intents));
        }),
      );
    intent
      .command('clear')
      .description('Withdraws the intents of one VM, or those of all: automation goes on.')
      .option('--vm <vm>', 'name or namespace/name; without it all')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(['vmpulse intent clear --vm db', 'holds, maintenance and stop of one VM']),
      )
      .action(({ vm, ...options }: ChangeOptions & { readonly vm?: string }, command) =>
        withDaemon(command, cli, async (client) => {
          const whose = vm === undefined ? 'every VM' : await vmId(client, vm);
          if (!(await goesOn(cli, options, `clear the intents of ${whose}`))) return;
          const body = { vm, author: author() };
          const answer = await client.post('/v1/intents/clear', body, asCame(intentsAnswer));
          await show(cli, options, answer, ({ intents }) => intentsText(intents));
        }),
      );
  },
};

function intentsText(
  intents: readonly (Parameters<typeof holdText>[0] & { readonly what: string })[],
): string {
  if (intents.length === 0) return 'nobody wants anything\n';
  return intents.map((intent) => `${intent.what}: ${holdText(intent, Date.now())}\n`).join('');
}
