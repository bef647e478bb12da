import { explainAnswer } from '../../daemon/answers/explain.js';
import { type CliCommand, paintOf, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { explainText } from '../text/explain-text.js';

/** `vmpulse explain VM`. */
export const explainCommand: CliCommand = {
  register(program, cli) {
    program
      .command('explain')
      .summary('tell why a VM is as it is, and what comes next')
      .description(
        'Tells what was seen of a VM, what that was taken for, what was done, and what is held back and why.',
      )
      .argument('<vm>', 'name or namespace/name')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['vmpulse explain web-1', 'the whole story'],
          ['vmpulse explain default/web-1 --json | jq .episode.diagnosis', 'the diagnosis, for a program'],
        ),
      )
      .action((vm: string, options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const path = vmPath('/v1/explain', vm);
          const answer = await client.get(path, asCame(explainAnswer));
          await show(cli, options, answer, (view) => explainText(view, Date.now(), paintOf(cli)));
        }),
      );
  },
};
