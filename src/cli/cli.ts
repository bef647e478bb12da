import { userInfo } from 'node:os';
import { inspect } from 'node:util';
import type { Command } from 'commander';
import { errorMessage, isVmpulseError, VmpulseError } from '../model/errors.js';
import { escapeUnsafe, plainText } from '../model/plain-text.js';
import type { DaemonClient } from './client.js';
import { daemonPlace, type PlaceOptions } from './daemon-place.js';
import type { Environment } from './environment.js';
import type { ExitCode } from './exit-codes.js';
import { escapeLines } from './text/lines.js';
import { COLOURS, NO_COLOURS, type Paint } from './text/paint.js';

/** Where text goes. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** What every command has: its output, its environment, and the way to the daemon. */
export interface Cli {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Environment;
  /** The value of a variable that the configuration names for a secret; unset: there are none. */
  readonly variable?: (name: string) => string | undefined;
  /** Sets the status with which the process ends; 0 unless set. */
  setExitCode(code: ExitCode): void;
}

/** One command; registry.ts lists them. */
export interface CliCommand {
  /** Adds itself to the program. */
  register(program: Command, cli: Cli): void;
}

/** Options of the program itself, which every command takes. */
export interface GlobalOptions extends PlaceOptions {
  readonly debug?: boolean;
}

/** The options of the program, wherever they stood. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** Lets `use` talk to the daemon and closes the connection after it. */
export async function withDaemon<T>(
  command: Command,
  cli: Cli,
  use: (client: DaemonClient) => Promise<T>,
): Promise<T> {
  const { DaemonClient } = await import('./client.js');
  const client = new DaemonClient(daemonPlace(globalOptions(command), cli.environment));
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Colours on a terminal whose user has nothing against them. */
export function paintOf(cli: Cli): Paint {
  return cli.stdout.isTTY === true && !cli.environment.noColor ? COLOURS : NO_COLOURS;
}

/** Writes what programs read, to the byte; a terminal is given it with everything escaped that could steer it. */
export function writeRaw({ stdout }: Cli, text: string): void {
  stdout.write(stdout.isTTY === true ? escapeLines(text) : text);
}

/** Who gives a command: `name@uid`. The daemon records it beside whom it sees itself. */
export function author(): string {
  const uid = process.getuid?.() ?? 0;
  try {
    return `${userInfo().username}@${uid}`;
  } catch {
    // A uid without an entry in the user database.
    return `uid@${uid}`;
  }
}

/**
 * A VM's place under `prefix`, for example `/v1/status/default/web-1`. The daemon resolves a name without a namespace.
 * Throws ERR_VMPULSE_USAGE.
 */
export function vmPath(prefix: string, vm: string): string {
  const parts = vm.split('/');
  if (parts.length > 2 || parts.includes('')) {
    throw new VmpulseError(
      'ERR_VMPULSE_USAGE',
      `"${plainText(vm)}" is no VM; give its name or namespace/name`,
    );
  }
  return `${prefix}/${parts.map(encodeURIComponent).join('/')}`;
}

/** One line of JSON; what could steer a terminal is escaped, which JSON reads back as it was. */
export function json(value: unknown): string {
  return `${escapeUnsafe(JSON.stringify(value))}\n`;
}

/** Tells an error in one line, with its code; with `debug` also where it came from. `about`: what it concerns. */
export function printError(cli: Cli, error: unknown, debug: boolean, about?: string): void {
  const code = isVmpulseError(error) ? error.code : 'ERR_VMPULSE_INTERNAL';
  const whose = about === undefined ? '' : `${about}: `;
  // An error of a configuration has several lines.
  cli.stderr.write(`vmpulse: ${whose}${escapeLines(errorMessage(error))} [${code}]\n`);
  if (debug) cli.stderr.write(`${escapeLines(inspect(error))}\n`);
}
