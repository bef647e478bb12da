import { type Command, Option } from 'commander';
import type { ExecAnswer } from '../../daemon/answers/guests.js';
import { errorMessage } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { type ConfirmOptions, dryRunOption, goesOn, requireYes, yesOption } from '../changes.js';
import { type Cli, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { type Answer, type FormatOptions, formatOption, formatted, jsonOption, plain } from '../format.js';
import { type CommandOptions, commandOf, runInGuest, shownCommand } from '../guest-command.js';
import { inParallel } from '../in-parallel.js';
import { oneMore, parseTime, wholeNumber } from '../option-parsers.js';
import { withProgress } from '../progress.js';
import { healthOption, type Selection, selectVms, tagOption, tellIfNone } from '../selectors.js';
import { table } from '../text/table.js';

const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_PARALLEL = 16;

interface BatchOptions extends CommandOptions, Selection, ConfirmOptions {
  readonly vm?: readonly string[];
  readonly timeout: number;
  readonly parallel: number;
}

/** `vmpulse vm exec-batch`. */
export function addExecBatch(vm: Command, cli: Cli): void {
  vm.command('exec-batch')
    .description(
      'Runs a command in the guests of the VMs that globs, labels and health choose, or of all, a few at a time, and shows a table of how it ended. Where that is more than one it only lists them, unless --yes is given.',
    )
    .argument('[argv...]', 'the command, run without a shell; behind --')
    .option(
      '--vm <glob>',
      'VMs of such a name or namespace/name, for example web-*; may be repeated',
      oneMore,
    )
    .addOption(tagOption())
    .addOption(healthOption())
    .option('--command <text>', 'a command for the shell of the guests, instead')
    .option('--script <file>', 'as with vm exec')
    .addOption(
      new Option('--timeout <time>', 'longest time for each')
        .argParser(parseTime)
        .default(DEFAULT_TIMEOUT_MS, '1m'),
    )
    .option('--parallel <count>', `VMs at a time, up to ${MAX_PARALLEL}`, wholeNumber(1, MAX_PARALLEL), 4)
    .addOption(yesOption())
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        [
          'vmpulse vm exec-batch --health-status unhealthy --yes -- systemctl restart nginx',
          'those in trouble',
        ],
        ["vmpulse vm exec-batch --vm 'web-*' --tag tier=front -- uptime", 'lists which VMs it would be'],
      ),
    )
    .action((argv: readonly string[], options: BatchOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const run = commandOf(argv, options);
        const vms = await selectVms(client, options.vm ?? [], options);
        const ids = vms.map(({ shown }) => shown.id);
        const verb = `run ${shownCommand(run.argv)} in`;
        tellIfNone(cli, ids);
        const each = ids.map((id) => `${verb} ${id}`);
        if (!(await goesOn(cli, options, each)) || ids.length === 0) return;
        await requireYes(cli, options, { verb, vms: ids, open: true });
        const results = await withProgress(cli, 'in the guests', ids.length, ({ step }) =>
          inParallel(ids, options.parallel, (id) =>
            runInGuest(client, id, run, options.timeout)
              .catch((error: unknown) => plain({ vm: id, error: errorMessage(error) }))
              .finally(step),
          ),
        );
        await tell(cli, options, results);
        const isFine = results.every(({ shown }) => 'exitCode' in shown && shown.exitCode === 0);
        cli.setExitCode(isFine ? EXIT.ok : EXIT.failed);
      }),
    );
}

type BatchResult = ExecAnswer | { readonly vm: string; readonly error: string };

/** A line of JSON, or a document of YAML, for each VM. */
async function tell(
  cli: Cli,
  { format }: FormatOptions,
  results: readonly Answer<BatchResult>[],
): Promise<void> {
  if (format === 'table') {
    const rows = results.map(({ shown }) => row(shown));
    cli.stdout.write(table(['VM', 'STATUS', 'OUTPUT'], rows));
    return;
  }
  for (const result of results) {
    if (format === 'yaml') cli.stdout.write('---\n');
    cli.stdout.write(await formatted(format, result, () => ''));
  }
}

function row(result: BatchResult): string[] {
  if ('error' in result) return [String(result.vm), 'error', plainText(String(result.error), 300)];
  const said = result.stdout.trim() || result.stderr.trim();
  const [first = '', ...more] = said.split('\n');
  const rest = more.length === 0 ? '' : ` (and ${more.length} more lines)`;
  return [result.vm, String(result.exitCode), `${plainText(first, 120)}${rest}`];
}
