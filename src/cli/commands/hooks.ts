import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { hookLogAnswer, hooksAnswer, hookTestAnswer } from '../../daemon/answers/hooks.js';
import { HOOK_EVENTS } from '../../model/hook.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { parseTime, wholeNumber } from '../option-parsers.js';
import { withProgress } from '../progress.js';
import { hookLogText, hooksText, hookTestText } from '../text/hooks-text.js';

/** A test may run several hooks, each with its own limit. */
const TEST_DEADLINE_MS = 3_600_000;

interface AddOptions extends ChangeOptions {
  readonly shell?: true;
  readonly user?: string;
  readonly timeout?: number;
}

interface LogOptions extends FormatOptions {
  readonly limit?: number;
}

/** `vmpulse hooks list|add|add-global|remove|test|logs`. */
export const hooksCommand: CliCommand = {
  register(program, cli) {
    const hooks = program
      .command('hooks')
      .summary('programs that are run when VMs start, stop, fail and recover')
      .description(
        `Programs of this host that are run at events of VMs (${HOOK_EVENTS.join(', ')}), those of the VM before those of all. A start is not made while a pre-start hook fails.`,
      )
      .addHelpText('after', examples(['vmpulse hooks list web-1', 'what is run for one VM']));
    registerList(hooks, cli);
    registerAdd(hooks, cli);
    registerAddGlobal(hooks, cli);
    registerRemove(hooks, cli);
    registerTest(hooks, cli);
    registerLogs(hooks, cli);
  },
};

function registerList(hooks: Command, cli: Cli): void {
  hooks
    .command('list')
    .description('Lists the hooks of a VM in the order in which they are run; without a VM all hooks.')
    .argument('[vm]', 'name or namespace/name')
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse hooks list web-1 --json', 'for a program']))
    .action((vm: string | undefined, options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const query = vm === undefined ? '' : `?vm=${encodeURIComponent(vm)}`;
        const answer = await client.get(`/v1/hooks${query}`, asCame(hooksAnswer));
        await show(cli, options, answer, (shown) => hooksText(shown, vm));
      }),
    );
}

function withProgram(command: Command): Command {
  return command
    .addArgument(eventArgument())
    .argument('<program...>', 'a file, or behind -- a program with its arguments')
    .option('--shell', 'the program is a command line for /bin/sh')
    .option('--user <user>', 'run it as this user; default as the daemon')
    .option('--timeout <time>', 'end it after this, for example 10s; default what the host says', parseTime)
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption());
}

function registerAdd(hooks: Command, cli: Cli): void {
  const add = hooks
    .command('add')
    .description('Adds a hook to a VM. A file is given name, reason and time as its arguments.')
    .argument('<vm>', 'name or namespace/name');
  withProgram(add)
    .addHelpText(
      'after',
      examples(
        ['vmpulse hooks add web-1 pre-start /etc/vmpulse/hooks/mounted', 'a file'],
        [
          'vmpulse hooks add web-1 pre-start -- /usr/bin/mountpoint -q /mnt/shared',
          'a program with arguments',
        ],
      ),
    )
    .action((vm: string, event: string, program: string[], options: AddOptions, command) =>
      addHook(command, cli, options, vm, { vm, event, ...bodyOf(program, options) }),
    );
}

function registerAddGlobal(hooks: Command, cli: Cli): void {
  withProgram(hooks.command('add-global').description('Adds a hook to every VM of this host.'))
    .addHelpText(
      'after',
      examples([
        `vmpulse hooks add-global on-failure --shell 'logger -t vm "$1 failed: $2"'`,
        'a command line',
      ]),
    )
    .action((event: string, program: string[], options: AddOptions, command) =>
      addHook(command, cli, options, 'every VM', { event, ...bodyOf(program, options) }),
    );
}

function registerRemove(hooks: Command, cli: Cli): void {
  hooks
    .command('remove')
    .description('Removes a hook that was added. Those of documents are removed there.')
    .argument('<id>', 'of the hook, which list shows, for example h1')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse hooks remove h1', 'the first that was added']))
    .action((id: string, options: ChangeOptions, command) =>
      withDaemon(command, cli, async (client) => {
        if (!(await goesOn(cli, options, `remove the hook ${id}`))) return;
        const body = { id, author: author() };
        const answer = await client.post('/v1/hooks/remove', body, asCame(hooksAnswer));
        await show(cli, options, answer, () => `removed ${plainText(id)}\n`);
      }),
    );
}

function registerTest(hooks: Command, cli: Cli): void {
  hooks
    .command('test')
    .description(
      'Runs the hooks of an event now, as if it had happened, with the reason "test". Status 1 when one fails.',
    )
    .argument('<vm>', 'name or namespace/name')
    .addArgument(eventArgument())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse hooks test web-1 pre-start', 'would it be started?']))
    .action((vm: string, event: string, options: FormatOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const body = { vm, event, author: author() };
        const schema = asCame(hookTestAnswer);
        const test = () => client.post('/v1/hooks/test', body, schema, TEST_DEADLINE_MS);
        const answer = await withProgress(cli, 'hooks run', 1, test);
        await show(cli, options, answer, hookTestText);
        if (answer.shown.runs.some(({ result }) => result !== 'done')) cli.setExitCode(EXIT.failed);
      }),
    );
}

function registerLogs(hooks: Command, cli: Cli): void {
  hooks
    .command('logs')
    .description('Shows the last runs of hooks with what they wrote.')
    .argument('[vm]', 'name or namespace/name; without it those of all')
    .option('--limit <count>', 'how many; default 20, at most 1000', wholeNumber(1, 1_000))
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples(['vmpulse hooks logs web-1 --limit 5', 'the last five of one VM']))
    .action((vm: string | undefined, options: LogOptions, command: Command) =>
      withDaemon(command, cli, async (client) => {
        const query = new URLSearchParams({ limit: String(options.limit ?? 20) });
        if (vm !== undefined) query.set('vm', vm);
        const answer = await client.get(`/v1/hooks/logs?${query}`, asCame(hookLogAnswer));
        await show(cli, options, answer, hookLogText);
      }),
    );
}

function addHook(
  command: Command,
  cli: Cli,
  options: ChangeOptions,
  whose: string,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  return withDaemon(command, cli, async (client) => {
    if (!(await goesOn(cli, options, `add the ${body.event} hook to ${whose}`))) return;
    const answer = await client.post('/v1/hooks/add', { ...body, author: author() }, asCame(hooksAnswer));
    await show(cli, options, answer, ({ hooks }) =>
      hooks.map(({ id, event, program }) => `added ${event} hook ${program} as ${id}\n`).join(''),
    );
  });
}

/** One word is a file of this host, several are a program with its arguments. */
function bodyOf(
  program: readonly string[],
  { shell, user, timeout }: AddOptions,
): Readonly<Record<string, unknown>> {
  const limits = { user, timeout: timeout === undefined ? undefined : `${timeout}ms` };
  if (shell) return { command: program.join(' '), shell, ...limits };
  const [first = ''] = program;
  return program.length === 1 ? { file: resolve(first), ...limits } : { argv: program, ...limits };
}

function eventArgument(): Argument {
  return new Argument('<event>', 'when it is run').choices(HOOK_EVENTS);
}
