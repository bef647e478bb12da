import { type Command, Option } from 'commander';
import { consoleAnswer } from '../../daemon/answers/guests.js';
import { author, type Cli, vmPath, withDaemon } from '../cli.js';
import { attachConsole, ESCAPE_KEY, runOnConsole } from '../console.js';
import { examples } from '../examples.js';
import { lines } from '../guest-command.js';
import { parseTime } from '../option-parsers.js';
import { needs } from '../option-rules.js';
import { withProgress } from '../progress.js';

const DEFAULT_TIMEOUT_MS = 10_000;

const SILENT =
  'vmpulse: nothing came; it may be paused (vmpulse status tells), or no shell waits on its console\n';

interface ConsoleOptions {
  readonly command?: string;
  readonly timeout: number;
}

/** `vmpulse vm console`. */
export function addConsole(vm: Command, cli: Cli): void {
  const command = vm
    .command('console')
    .description(
      `Connects this terminal to the serial console of the VM, until ${ESCAPE_KEY}. One at a time has it; who opened it is recorded.`,
    )
    .argument('<vm>', 'name or namespace/name')
    .option('--command <text>', 'type this line, show what comes, and end once nothing more comes')
    .addOption(
      new Option('--timeout <time>', 'longest time for --command')
        .argParser(parseTime)
        .default(DEFAULT_TIMEOUT_MS, '10s'),
    )
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm console web-1', `interactive; ${ESCAPE_KEY} ends it`],
        ["vmpulse vm console web-1 --command 'ip addr show'", 'where a shell waits on the console'],
      ),
    )
    .action((name: string, options: ConsoleOptions, self) =>
      withDaemon(self, cli, async (client) => {
        const path = `${vmPath('/v1/vms', name)}/console`;
        const { socket } = await client.post(path, { author: author() }, consoleAnswer);
        const { command: line, timeout } = options;
        if (line === undefined) await attachConsole(socket, cli.stderr);
        else {
          const type = () => runOnConsole(socket, line, timeout);
          const said = await withProgress(cli, 'waiting for the console', 1, type);
          cli.stdout.write(lines(said));
          if (said === '') cli.stderr.write(SILENT);
        }
      }),
    );
  needs(command, '--timeout', '--command');
}
