import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type ExecAnswer, execAnswer } from '../../daemon/answers/guests.js';
import { type HostAnswer, hostAnswer } from '../../daemon/answers/status.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { matchesGlob } from '../../model/glob.js';
import { plainText } from '../../model/plain-text.js';
import { author, type Cli, json, vmPath, withDaemon } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { parseTime } from '../parse-time.js';
import { table } from '../text/table.js';

const DEFAULT_TIMEOUT_MS = 60_000;
/** Beside the command itself. */
const ANSWER_MS = 15_000;
const MAX_SCRIPT_BYTES = 64 * 1024;
const MAX_PARALLEL = 16;
/** What a script is given to where its first line names no program. */
const SHELL = '/bin/sh';

interface ExecOptions {
  readonly script?: string;
  readonly timeout: number;
  readonly json?: true;
}

interface BatchOptions extends ExecOptions {
  readonly vm?: readonly string[];
  readonly healthStatus?: readonly string[];
  readonly tag?: readonly string[];
  readonly parallel: number;
  readonly yes?: true;
}

/** What is to be run. */
interface GuestCommand {
  readonly argv: readonly string[];
  readonly input?: string;
}

/** `vmpulse vm exec`, `vmpulse vm exec-batch`. */
export function addExec(vm: Command, cli: Cli): void {
  vm.command('exec')
    .description(
      'Runs a command in the guest through its agent, without a shell, and shows its output. Who ran what is recorded. Exit status 0 if the command ended with 0, else 1.',
    )
    .argument('<vm>', 'name or namespace/name')
    .argument('[argv...]', 'the command; behind --, so that its options are its own')
    .option(
      '--script <file>',
      'a script of this host, given to the interpreter of its first line (or /bin/sh)',
    )
    .option('--timeout <time>', 'longest time for the command (default 1m)', parseTime, DEFAULT_TIMEOUT_MS)
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      examples(
        ['vmpulse vm exec web-1 -- systemctl status nginx', 'one command'],
        ['vmpulse vm exec web-1 --script ./repair.sh -- --fast', 'a script, with an argument'],
      ),
    )
    .action((name: string, argv: readonly string[], options: ExecOptions, command) =>
      withDaemon(command, cli, async (client) => {
        const answer = await exec(client, name, commandOf(argv, options.script), options.timeout);
        if (options.json) cli.stdout.write(json(answer));
        else show(cli, answer);
        cli.setExitCode(answer.exitCode === 0 ? EXIT.ok : EXIT.failed);
      }),
    );
  addBatch(vm, cli);
}

function addBatch(vm: Command, cli: Cli): void {
  vm.command('exec-batch')
    .description(
      'Runs a command in the guests of several VMs, a few at a time, and shows a table of how it ended. Without --yes it only says which VMs these are.',
    )
    .argument('[argv...]', 'the command; behind --')
    .option('--vm <glob>', 'VMs of such a name or namespace/name, for example web-*; may be repeated', append)
    .option(
      '--health-status <health>',
      'VMs of such a health, for example unhealthy; may be repeated',
      append,
    )
    .option('--tag <label>', 'VMs with the label key=value; repeated: with all of them', append)
    .option('--script <file>', 'as with vm exec')
    .option('--timeout <time>', 'longest time for each (default 1m)', parseTime, DEFAULT_TIMEOUT_MS)
    .option('--parallel <count>', `VMs at a time, up to ${MAX_PARALLEL} (default 4)`, parseParallel, 4)
    .option('--yes', 'do it')
    .option('--json', 'print a line of JSON for each VM')
    .addHelpText(
      'after',
      examples(
        [
          'vmpulse vm exec-batch --health-status unhealthy --yes -- systemctl restart nginx',
          'those in trouble',
        ],
        ["vmpulse vm exec-batch --vm 'web-*' --tag tier=front -- uptime", 'says which VMs it would be'],
      ),
    )
    .action((argv: readonly string[], options: BatchOptions, command) =>
      withDaemon(command, cli, (client) => runBatch(client, cli, argv, options)),
    );
}

async function runBatch(
  client: DaemonClient,
  cli: Cli,
  argv: readonly string[],
  options: BatchOptions,
): Promise<void> {
  const run = commandOf(argv, options.script);
  const { vms } = await client.get('/v1/status', hostAnswer);
  const chosen = vms.filter((vm) => isChosen(vm, options)).map(({ id }) => id);
  if (chosen.length === 0) {
    cli.stdout.write('no VM is chosen\n');
    return;
  }
  if (!options.yes) {
    cli.stdout.write(`${chosen.length} VMs: ${chosen.join(', ')}\n`);
    throw new VmpulseError('ERR_VMPULSE_USAGE', 'nothing was run; add --yes to run the command in these VMs');
  }
  const results = await inParallel(chosen, options.parallel, async (id) => {
    try {
      return await exec(client, id, run, options.timeout);
    } catch (error) {
      return { vm: id, error: errorMessage(error) };
    }
  });
  if (options.json) for (const result of results) cli.stdout.write(json(result));
  else cli.stdout.write(table(['VM', 'STATUS', 'OUTPUT'], results.map(row)));
  const isFine = results.every((result) => 'exitCode' in result && result.exitCode === 0);
  cli.setExitCode(isFine ? EXIT.ok : EXIT.failed);
}

type BatchResult = ExecAnswer | { readonly vm: string; readonly error: string };

function row(result: BatchResult): string[] {
  if ('error' in result) return [String(result.vm), 'error', plainText(String(result.error), 300)];
  const said = result.stdout.trim() || result.stderr.trim();
  const [first = '', ...more] = said.split('\n');
  const rest = more.length === 0 ? '' : ` (and ${more.length} more lines)`;
  return [result.vm, String(result.exitCode), `${plainText(first, 120)}${rest}`];
}

function isChosen(
  vm: HostAnswer['vms'][number],
  { vm: globs = ['*'], healthStatus, tag = [] }: BatchOptions,
): boolean {
  const name = vm.id.split('/')[1] ?? vm.id;
  return (
    globs.some((glob) => matchesGlob(glob, glob.includes('/') ? vm.id : name)) &&
    (healthStatus === undefined || healthStatus.includes(vm.health)) &&
    tag.every((text) => {
      const [key = '', value = ''] = splitTag(text);
      return vm.labels[key] === value;
    })
  );
}

function splitTag(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new VmpulseError('ERR_VMPULSE_USAGE', `--tag ${plainText(text)} is no label; write key=value`);
}

/** Does `work` for each, so many at a time; the results are in the order of the items. */
async function inParallel<T, R>(
  items: readonly T[],
  count: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, item] = next;
      results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  return results;
}

async function exec(
  client: DaemonClient,
  vm: string,
  run: GuestCommand,
  timeoutMs: number,
): Promise<ExecAnswer> {
  const path = `${vmPath('/v1/vms', vm)}/exec`;
  const body = { ...run, timeoutMs, author: author() };
  return client.post(path, body, execAnswer, timeoutMs + ANSWER_MS);
}

/** Throws ERR_VMPULSE_USAGE. */
function commandOf(argv: readonly string[], script: string | undefined): GuestCommand {
  if (script !== undefined) return scriptCommand(script, argv);
  if (argv.length > 0) return { argv };
  throw new VmpulseError('ERR_VMPULSE_USAGE', 'there is no command; write it behind --, or give --script');
}

/** A script goes to its interpreter by the standard input: nothing is written into the guest. */
function scriptCommand(path: string, argv: readonly string[]): GuestCommand {
  const input = readScript(path);
  const first = /^#! *(\S+)(?: +(\S+))?/.exec(input);
  const interpreter = first?.[1] === undefined ? [SHELL] : [first[1], ...(first[2] ? [first[2]] : [])];
  const isShell = /(^|\/)(ba|da|z|k)?sh$/.test(interpreter.at(-1) ?? '');
  if (argv.length > 0 && !isShell)
    throw new VmpulseError('ERR_VMPULSE_USAGE', 'only scripts of a shell can be given arguments');
  return { argv: [...interpreter, ...(isShell ? ['-s', '--', ...argv] : ['-'])], input };
}

function readScript(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const message = `the script ${plainText(path)} cannot be read: ${errorMessage(cause)}`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', message, { cause });
  }
  if (text === '') throw new VmpulseError('ERR_VMPULSE_USAGE', `the script ${plainText(path)} is empty`);
  if (Buffer.byteLength(text) <= MAX_SCRIPT_BYTES) return text;
  const message = `the script ${plainText(path)} has more than ${MAX_SCRIPT_BYTES} bytes; copy it into the guest`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', message);
}

function show(cli: Cli, { exitCode, stdout, stderr }: ExecAnswer): void {
  cli.stdout.write(lines(stdout));
  cli.stderr.write(lines(stderr));
  if (exitCode !== 0) cli.stderr.write(`vmpulse: the command ended with status ${exitCode}\n`);
}

/** What a guest wrote, safe on a terminal: its lines and tabs stay. */
export function lines(text: string): string {
  if (text === '') return '';
  const shown = text.replace(/\r?\n$/, '').split(/\r?\n/);
  return `${shown
    .map((each) =>
      each
        .split('\t')
        .map((part) => plainText(part, 65_536))
        .join('\t'),
    )
    .join('\n')}\n`;
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function parseParallel(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_PARALLEL) return count;
  throw new VmpulseError('ERR_VMPULSE_USAGE', `--parallel ${plainText(text)}: give 1 to ${MAX_PARALLEL}`);
}
