import { z } from 'zod';
import { explainAnswer } from '../../daemon/answers/explain.js';
import { type CliCommand, json, paintOf, vmPath, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
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
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText(
        'after',
        examples(
          ['vmpulse explain web-1', 'the whole story'],
          ['vmpulse explain default/web-1 --json | jq .episode.diagnosis', 'the diagnosis, for a program'],
        ),
      )
      .action((vm: string, options: { readonly json?: true }, command) =>
        withDaemon(command, cli, async (client) => {
          const path = vmPath('/v1/explain', vm);
          const text = options.json
            ? json(await client.get(path, z.unknown()))
            : explainText(await client.get(path, explainAnswer), Date.now(), paintOf(cli));
          cli.stdout.write(text);
        }),
      );
  },
};
