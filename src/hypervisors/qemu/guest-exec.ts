import { z } from 'zod';
import type { Channel } from '../../engine/probe-engine.js';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';

const MAX_OUTPUT_BYTES = 64 * 1024;
/** Base64 is a third longer. */
const MAX_OUTPUT_CHARS = Math.ceil(MAX_OUTPUT_BYTES / 3) * 4;
const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 500;

const STARTED = z.object({ pid: z.int() });
const STATE = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': z.string().optional(),
  'err-data': z.string().optional(),
});
const OS_INFO = z.object({
  id: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/)
    .optional(),
});

export interface GuestCommandResult {
  /** 128 + signal when a signal ended it, as a shell says. */
  readonly exitCode: number;
  /** The first 64 KiB, as the guest wrote it: untrusted. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in the guest through its agent. At the deadline the wait ends; the program in the guest goes on. */
export async function guestExec(
  agent: Channel,
  argv: readonly string[],
  deadline: Deadline,
): Promise<GuestCommandResult> {
  const [path, ...arg] = argv;
  if (path === undefined)
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'a guest command needs at least its program');
  const args = { path, arg, 'capture-output': true };
  const { pid } = parse(STARTED, await agent.request('guest-exec', args, deadline.step()));
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(MAX_POLL_MS, pollMs * 2)) {
    await deadline.sleep(pollMs);
    const state = parse(STATE, await agent.request('guest-exec-status', { pid }, deadline.step()));
    if (!state.exited) continue;
    return {
      exitCode: state.exitcode ?? 128 + (state.signal ?? 0),
      stdout: decode(state['out-data']),
      stderr: decode(state['err-data']),
    };
  }
}

/** What the guest calls its system: os-release's ID, `mswindows`, or nothing where there is no such file. */
export async function guestOsId(agent: Channel, deadline: Deadline): Promise<string | undefined> {
  return parse(OS_INFO, await agent.request('guest-get-osinfo', undefined, deadline.step())).id;
}

function parse<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new VmpulseError(
    'ERR_VMPULSE_CHANNEL',
    `the guest agent answered in another shape than expected: ${z.prettifyError(result.error)}`,
  );
}

function decode(base64: string | undefined): string {
  return Buffer.from((base64 ?? '').slice(0, MAX_OUTPUT_CHARS), 'base64')
    .subarray(0, MAX_OUTPUT_BYTES)
    .toString('utf8');
}
