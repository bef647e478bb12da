import { leftoversAnswer } from '../../daemon/answers/lifecycle.js';
import { type ChangeOptions, dryRunOption } from '../changes.js';
import { author, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, formatOption, jsonOption, show } from '../format.js';

/** `vmpulse gc`. */
export const gcCommand: CliCommand = {
  register(program, cli) {
    program
      .command('gc')
      .summary('remove what nobody needs any more')
      .description(
        'Removes folders of VMs that are not watched and do not run, what an apply that died had begun, and images that a later pull has replaced and no disk is laid over. Disks are never touched.',
      )
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse gc --dry-run', 'what would be removed?']))
      .action((options: ChangeOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const schema = asCame(leftoversAnswer);
          const answer = options.dryRun
            ? await client.get('/v1/leftovers', schema)
            : await client.post('/v1/gc', { author: author() }, schema);
          await show(cli, options, answer, ({ leftovers, kept }) => {
            const lines = [
              ...leftovers.map(({ path, why }) => `${path}: ${why}\n`),
              ...kept.map((why) => `${why}\n`),
            ];
            const removed = leftovers.length === 0 ? 'nothing to remove' : `${leftovers.length} removed`;
            const end = options.dryRun && leftovers.length > 0 ? 'nothing removed (--dry-run)' : removed;
            return `${lines.join('')}${end}\n`;
          });
        }),
      );
  },
};
