import { type Command, Option } from 'commander';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { type Cli, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { formatOption, jsonOption, show } from '../format.js';
import { type CommandOptions, commandOf, lines, runInGuest, shownCommand } from '../guest-command.js';
import { parseTime } from '../option-parsers.js';
import { withProgress } from '../progress.js';
import { vmId } from '../selectors.js';

const DEFAULT_TIMEOUT_MS = 60_000;

interface ExecOptions extends CommandOptions, ChangeOptions {
  readonly timeout: number;
}

/** `vmpulse vm exec`. */
export function addExec(vm: Command, cli: Cli): void {
  vm.command('exec')
    .description(
      'Runs a command in the guest through its agent and shows its output. Who ran what is recorded. Exit status 0 if the command ended with 0, else 1.',
    )
    .argument('<vm>', 'name or namespace/name')
    .argument('[argv...]', 'the command, run without a shell; behind --, so that its options are its own')
    .option('--command <text>', 'a command for the shell of the guest, instead')
    .option(
      '--script <file>',
      'a script of this host, given to the interpreter of its first line (or /bin/sh)',
    )
    .addOption(
      new Option('--timeout <time>', 'longest time for the command')
        .argParser(parseTime)
        .default(DEFAULT_TIMEOUT_MS, '1m'),
    )
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm exec web-1 -- systemctl status nginx', 'one command'],
        ["vmpulse vm exec web-1 --command 'df -h; du -sh /var/log/*'", 'a line for its shell'],
        ['vmpulse vm exec web-1 --script ./repair.sh -- --fast', 'a script, with an argument'],
      ),
    )
    .action((name: string, argv: readonly string[], options: ExecOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const run = commandOf(argv, options);
        const id = await vmId(client, name);
        if (!(await goesOn(cli, options, `run ${shownCommand(run.argv)} in ${id}`))) return;
        const ask = () => runInGuest(client, id, run, options.timeout);
        const answer = await withProgress(cli, 'the command runs in the guest', 1, ask);
        const { exitCode, stdout, stderr } = answer.shown;
        await show(cli, options, answer, () => lines(stdout));
        if (options.format === 'table') {
          cli.stderr.write(lines(stderr));
          if (exitCode !== 0) cli.stderr.write(`vmpulse: the command ended with status ${exitCode}\n`);
        }
        cli.setExitCode(exitCode === 0 ? EXIT.ok : EXIT.failed);
      }),
    );
}
