import { readFileSync } from 'node:fs';
import { type ExecAnswer, execAnswer } from '../daemon/answers/guests.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { escapeUnsafe, plainText } from '../model/plain-text.js';
import { author, vmPath } from './cli.js';
import type { DaemonClient } from './client.js';
import { type Answer, asCame } from './format.js';

/** Beside the command itself. */
const ANSWER_MS = 15_000;
const MAX_SCRIPT_BYTES = 64 * 1024;
/** What a script is given to where its first line names no program. */
const SHELL = '/bin/sh';

/** What is to be run. */
interface GuestCommand {
  readonly argv: readonly string[];
  readonly input?: string;
}

export interface CommandOptions {
  readonly command?: string;
  readonly script?: string;
}

/** Runs it in the guest; `timeoutMs` is that of the command. */
export async function runInGuest(
  client: DaemonClient,
  vm: string,
  run: GuestCommand,
  timeoutMs: number,
): Promise<Answer<ExecAnswer>> {
  const path = `${vmPath('/v1/vms', vm)}/exec`;
  const body = { ...run, timeoutMs, author: author() };
  return client.post(path, body, asCame(execAnswer), timeoutMs + ANSWER_MS);
}

/** Throws ERR_VMPULSE_USAGE. */
export function commandOf(argv: readonly string[], { command, script }: CommandOptions): GuestCommand {
  if (command !== undefined && (script !== undefined || argv.length > 0))
    throw new VmpulseError('ERR_VMPULSE_USAGE', '--command is all of the command; leave out the rest');
  if (command !== undefined) return { argv: [SHELL, '-c', command] };
  if (script !== undefined) return scriptCommand(script, argv);
  if (argv.length > 0) return { argv };
  const text = 'there is no command; write it behind --, or give --command or --script';
  throw new VmpulseError('ERR_VMPULSE_USAGE', text);
}

/** As it would be written for a shell. */
export function shownCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word))).join(' ');
}

/** Within single quotes a shell expands nothing. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
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

/** What a guest wrote, safe on a terminal: only its lines and tabs are left of control characters. */
export function guestText(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(escapeUnsafe).join('\t'))
    .join('\n');
}

/** The same, ended by a newline unless it is empty. */
export function lines(text: string): string {
  const shown = guestText(text);
  return shown === '' || shown.endsWith('\n') ? shown : `${shown}\n`;
}
