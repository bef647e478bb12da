import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { applyAnswer } from '../answers.js';
import { author, type CliCommand, json, withDaemon } from '../cli.js';
import { readDocumentFiles } from '../document-files.js';
import { examples } from '../examples.js';
import { applyText } from '../text/apply-text.js';

interface ApplyOptions {
  readonly filename?: readonly string[];
  readonly prune?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** `vmpulse apply`. */
export const applyCommand: CliCommand = {
  register(program, cli) {
    program
      .command('apply')
      .summary('give the daemon documents of VMs')
      .description(
        'Validates manifests, host documents and policies together with those that the daemon has, stores them in its state directory and has them take effect: all of them, or none. No VM is stopped or restarted by that. What stands in the folders of the configuration is kept by hand and is not replaced.',
      )
      .option(
        '-f, --filename <path>',
        'a file, or a directory of *.yaml, *.yml and *.json; may be repeated',
        (path: string, former: readonly string[] = []) => [...former, path],
      )
      .option(
        '--prune',
        'remove what was applied before and is not in these files; its VMs run on, unwatched',
      )
      .option('--dry-run', 'only tell what would change')
      .option('--json', 'print one line of JSON, as the API gives it')
      .addHelpText(
        'after',
        examples(
          ['vmpulse apply -f web.yaml --dry-run', 'what would change?'],
          ['vmpulse apply -f vms/ --prune', 'the documents of the folder, and no others'],
        ),
      )
      .action((options: ApplyOptions, command) =>
        withDaemon(command, cli, async (client) => {
          if (options.filename === undefined)
            throw new VmpulseError('ERR_VMPULSE_USAGE', 'nothing to apply; name files with -f');
          const body = {
            files: readDocumentFiles(options.filename),
            prune: options.prune === true,
            dryRun: options.dryRun === true,
            author: author(),
          };
          if (options.json) cli.stdout.write(json(await client.post('/v1/apply', body, z.unknown())));
          else cli.stdout.write(applyText(await client.post('/v1/apply', body, applyAnswer)));
        }),
      );
  },
};
