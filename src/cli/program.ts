import { Command, CommanderError } from 'commander';
import { VmpulseError } from '../model/errors.js';
import { VERSION } from '../runtime/version.js';
import { type Cli, printError } from './cli.js';
import { DEFAULT_SOCKET } from './environment.js';
import { examples } from './examples.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { COMMANDS } from './registry.js';
import { COMPLETE } from './text/completion-scripts.js';

/** For what is read of the command line, and not run: it writes nothing. */
const SILENT: Cli = {
  stdout: { write: () => {} },
  stderr: { write: () => {} },
  environment: { socketPath: undefined, noColor: true, notify: undefined },
  setExitCode: () => {},
};

/** The command line without its commands. */
function bareProgram(cli: Cli): Command {
  const program = new Command('vmpulse')
    .description('Watches the pulse of virtual machines and brings back the ones that lose it.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .option('--socket <path>', `the daemon's socket; default VMPULSE_SOCKET or ${DEFAULT_SOCKET}`)
    .option('--url <url>', 'a daemon by HTTPS instead; default VMPULSE_URL')
    .option('--token-file <file>', 'with --url: file with the token; default the variable VMPULSE_TOKEN')
    .option('--ca <file>', 'with --url: PEM file with the authority of its certificate')
    .option('--debug', 'tell more of errors; probe: show the exchange')
    .configureHelp({ showGlobalOptions: true, subcommandDescription: inShort })
    .addHelpText(
      'after',
      examples(
        ['vmpulse run --config /etc/vmpulse/config.yaml', 'the daemon'],
        ['vmpulse status', 'all VMs'],
        ['vmpulse explain default/web-1', 'why is it as it is?'],
        ['vmpulse probe tcp 192.0.2.10:22', 'one probe, without the daemon'],
        ['vmpulse status --help', 'help of a command, with examples'],
      ),
    );
  settle(program, program.name(), cli);
  return program;
}

/**
 * The command line with commands of the registry. Parsing it throws ERR_VMPULSE_USAGE, or a CommanderError once help or
 * version have been shown; nothing ends the process.
 */
async function createProgram(cli: Cli, names: readonly string[]): Promise<Command> {
  const program = bareProgram(cli);
  const commands = await Promise.all(names.map((name) => COMMANDS[name]?.()));
  for (const command of commands) command?.register(program, cli);
  inherit(program, program.name(), cli);
  return program;
}

/** The commands that `argv` needs to be run or completed: the one it names, else all, for the help and what was perhaps meant. */
function namesIn(argv: readonly string[]): readonly string[] {
  try {
    const [first, second] = bareProgram(SILENT).parseOptions([...argv]).operands;
    const name = first === 'help' ? second : first;
    if (name !== undefined && Object.hasOwn(COMMANDS, name)) return [name];
    return Object.keys(COMMANDS);
  } catch {
    // The version is asked for, or an option of the program lacks its value: no command has a say in it.
    return [];
  }
}

/** The command line with all commands, to be read, by manual pages and tests, and not to be run. */
export function describedProgram(): Promise<Command> {
  return createProgram(SILENT, Object.keys(COMMANDS));
}

/** Runs a command line. Errors are told on stderr; the exit status is set, the process is not ended. */
export async function runCli(cli: Cli, argv: readonly string[]): Promise<void> {
  if (argv[0] === COMPLETE) return tellCandidates(cli, argv.slice(2));
  try {
    const program = await createProgram(cli, namesIn(argv));
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    cli.setExitCode(exitCodeOf(error));
    // What is left of commander's own are help and version, which have been shown.
    if (!(error instanceof CommanderError)) printError(cli, error, argv.includes('--debug'));
  }
}

/** Answers a completion script about the last of the words. */
async function tellCandidates(cli: Cli, words: readonly string[]): Promise<void> {
  const completion = await import('./tell-candidates.js');
  const program = await createProgram(SILENT, namesIn(words.slice(0, -1)));
  await completion.tellCandidates(program, cli, words);
}

/** A command in the list of its group: its own help says the rest. */
function inShort(command: Command): string {
  const [first = ''] = command.description().split(/(?<=\.)\s/, 1);
  return command.summary() || first;
}

/** A wrong command line, told like every other error, with the help that has what is right. */
function usageError(error: CommanderError, command: string): VmpulseError {
  const message = error.message.replace(/^error: |\.$/g, '').replaceAll('\n', ' ');
  return new VmpulseError('ERR_VMPULSE_USAGE', `${message}; see ${command} --help`);
}

function isHelp(error: CommanderError): boolean {
  return exitCodeOf(error) === EXIT.ok || error.code === 'commander.help';
}

function inherit(command: Command, name: string, cli: Cli): void {
  for (const child of command.commands) {
    const childName = `${name} ${child.name()}`;
    settle(child, childName, cli);
    inherit(child, childName, cli);
  }
}

function settle(command: Command, name: string, cli: Cli): void {
  const exit = (error: CommanderError) => {
    throw isHelp(error) ? error : usageError(error, name);
  };
  command.exitOverride(exit).configureOutput({
    writeOut: (text) => void cli.stdout.write(text),
    writeErr: (text) => void cli.stderr.write(text),
    // Told by runCli, in the form of every other error.
    outputError: () => {},
  });
}
