import { z } from 'zod';
import type { Deadline } from '../model/deadline.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type { GuestCommandResult } from '../model/guest.js';
import type { AgentPort } from './agent-port.js';
import { parseAnswer } from './answer.js';

const MAX_OUTPUT_BYTES = 64 * 1024;
/** Base64 is a third longer. */
const MAX_OUTPUT_CHARS = Math.ceil(MAX_OUTPUT_BYTES / 3) * 4;
const MAX_INPUT_BYTES = 64 * 1024;
const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 500;
/** Commands that did not end in time, remembered at most. */
const MAX_OVERDUE = 64;

const STARTED = z.object({ pid: z.int() });
const STATE = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': z.string().optional(),
  'err-data': z.string().optional(),
});

export interface GuestCommand {
  readonly argv: readonly string[];
  readonly input?: string | undefined;
  /** The agent ends the command by itself after this long; only vmpulse's agent knows that. */
  readonly timeoutMs?: number | undefined;
}

/** Runs programs through one agent. */
export class GuestExec {
  readonly #agent: AgentPort;
  /** Numbers of commands that went on after their deadline: a second one of the same would fill the guest. */
  readonly #overdue = new Map<string, number>();

  constructor(agent: AgentPort) {
    this.#agent = agent;
  }

  /** At the deadline the wait ends; the QEMU guest agent lets the program go on. */
  async run(command: GuestCommand, deadline: Deadline): Promise<GuestCommandResult> {
    const key = JSON.stringify([command.argv, command.input]);
    await this.#former(key, deadline);
    const { pid } = parseAnswer(STARTED, await this.#start(command, deadline));
    try {
      return await this.#end(pid, deadline);
    } catch (error) {
      if (isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT') || isVmpulseError(error, 'ERR_VMPULSE_ABORTED'))
        this.#remember(key, pid);
      throw error;
    }
  }

  #start({ argv, input = '', timeoutMs }: GuestCommand, deadline: Deadline): Promise<unknown> {
    const [path, ...arg] = argv;
    if (path === undefined)
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'a guest command needs at least its program');
    const bytes = Buffer.from(input);
    if (bytes.length > MAX_INPUT_BYTES) {
      const text = `the input of a guest command has ${bytes.length} bytes; ${MAX_INPUT_BYTES} are possible`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    const args = {
      path,
      arg,
      'capture-output': true,
      ...(bytes.length === 0 ? {} : { 'input-data': bytes.toString('base64') }),
      ...(timeoutMs === undefined ? {} : { 'timeout-ms': Math.max(1, Math.floor(timeoutMs)) }),
    };
    return this.#agent.request('guest-exec', args, deadline.step()).catch((error: unknown) => {
      throw missing(path, error);
    });
  }

  async #end(pid: number, deadline: Deadline): Promise<GuestCommandResult> {
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(MAX_POLL_MS, pollMs * 2)) {
      await deadline.sleep(pollMs);
      const state = parseAnswer(
        STATE,
        await this.#agent.request('guest-exec-status', { pid }, deadline.step()),
      );
      if (!state.exited) continue;
      return {
        exitCode: state.exitcode ?? 128 + (state.signal ?? 0),
        stdout: decode(state['out-data']),
        stderr: decode(state['err-data']),
      };
    }
  }

  /** Throws ERR_VMPULSE_TIMEOUT while the former run of the same command goes on. */
  async #former(key: string, deadline: Deadline): Promise<void> {
    const pid = this.#overdue.get(key);
    if (pid === undefined) return;
    try {
      const state = await this.#agent.request('guest-exec-status', { pid }, deadline.step());
      if (!parseAnswer(STATE, state).exited)
        throw new VmpulseError('ERR_VMPULSE_TIMEOUT', 'the former run of this command has not ended yet');
    } catch (error) {
      // The agent does not know the number: it, or the guest, has begun anew.
      if (!isVmpulseError(error, 'ERR_VMPULSE_COMMAND')) throw error;
    }
    this.#overdue.delete(key);
  }

  #remember(key: string, pid: number): void {
    const [oldest] = this.#overdue.keys();
    if (this.#overdue.size >= MAX_OVERDUE && oldest !== undefined) this.#overdue.delete(oldest);
    this.#overdue.set(key, pid);
  }
}

/** Agents word it as their libraries do. */
function missing(path: string, error: unknown): unknown {
  if (!isVmpulseError(error, 'ERR_VMPULSE_COMMAND') || !/No such file or directory/.test(error.message))
    return error;
  const text = `the guest has no program ${path}, or lacks what it needs to start`;
  return new VmpulseError('ERR_VMPULSE_COMMAND', text, { details: error.details, cause: error });
}

function decode(base64: string | undefined): string {
  return Buffer.from((base64 ?? '').slice(0, MAX_OUTPUT_CHARS), 'base64')
    .subarray(0, MAX_OUTPUT_BYTES)
    .toString('utf8');
}
