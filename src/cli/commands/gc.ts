import { z } from 'zod';
import { leftoversAnswer } from '../../daemon/answers/lifecycle.js';
import { author, type CliCommand, json, withDaemon } from '../cli.js';
import { examples } from '../examples.js';

/** `vmpulse gc`. */
export const gcCommand: CliCommand = {
  register(program, cli) {
    program
      .command('gc')
      .summary('remove what nobody needs any more')
      .description(
        'Removes folders of VMs that are not watched and do not run, what an apply that died had begun, and images that a later pull has replaced and no disk is laid over. Disks are never touched.',
      )
      .option('--dry-run', 'only list it')
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText('after', examples(['vmpulse gc --dry-run', 'what would be removed?']))
      .action((options: { readonly dryRun?: true; readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          const ask = <T>(schema: z.ZodType<T>) =>
            options.dryRun
              ? client.get('/v1/leftovers', schema)
              : client.post('/v1/gc', { author: author() }, schema);
          if (options.json) {
            cli.stdout.write(json(await ask(z.unknown())));
            return;
          }
          const { leftovers } = await ask(leftoversAnswer);
          for (const { path, why } of leftovers) cli.stdout.write(`${path}: ${why}\n`);
          const what = leftovers.length === 0 ? 'nothing is left over' : `${leftovers.length} removed`;
          cli.stdout.write(
            `${options.dryRun && leftovers.length > 0 ? 'nothing removed (--dry-run)' : what}\n`,
          );
        }),
      );
  },
};
