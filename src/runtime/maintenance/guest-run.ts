import type { Deadline } from '../../model/deadline.js';
import type { MaintenanceTask } from '../../model/maintenance.js';
import { plainText } from '../../model/plain-text.js';
import type { VmmSession } from '../../model/ports.js';
import { commandFor, type GuestTask } from './commands.js';

const OUTPUT_CHARS = 2000;
const TEXT_CHARS = 200;
const COMMAND_MS = 10 * 60_000;
const UPDATES_MS = 30 * 60_000;

/** How a run ended. */
export interface RunResult {
  readonly result: 'done' | 'failed' | 'skipped';
  /** One sentence for a person, without control characters. */
  readonly text: string;
  /** For the journal: plain JSON, bounded and escaped. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** What runs in the guest. */
export type GuestWork = GuestTask | { readonly command: readonly string[] };

export function isGuestWork(
  work: MaintenanceTask | { readonly command: readonly string[] },
): work is GuestWork {
  return work !== 'restart';
}

/** Longest time for it, ms. */
export function timeLimitMs(work: GuestWork): number {
  return work === 'updates' ? UPDATES_MS : COMMAND_MS;
}

/** Runs it through the guest agent. Rejects when the guest cannot be asked or does not end in time. */
export async function runInGuest(
  session: VmmSession,
  work: GuestWork,
  deadline: Deadline,
): Promise<RunResult> {
  let command: ReturnType<typeof commandFor>;
  if (typeof work === 'object') command = { argv: work.command };
  else if (session.osId === undefined) command = { skip: 'its driver cannot ask the guest for its system' };
  else command = commandFor(work, await session.osId(deadline.step()));
  if ('skip' in command) return { result: 'skipped', text: command.skip };
  const { argv, alsoFine = [] } = command;
  const { exitCode, stdout, stderr } = await session.exec(argv, deadline.step());
  const isFine = exitCode === 0 || alsoFine.includes(exitCode);
  const last = tail((isFine ? stdout : stderr) || stdout || stderr, TEXT_CHARS);
  return {
    result: isFine ? 'done' : 'failed',
    text: `${plainText(argv.join(' '))} ended with status ${exitCode}: ${last || 'no output'}`,
    data: { argv, exitCode, stdout: tail(stdout, OUTPUT_CHARS), stderr: tail(stderr, OUTPUT_CHARS) },
  };
}

/** The end of what the guest wrote: that is where a program says how it went. */
function tail(text: string, maxChars: number): string {
  return plainText(text.trimEnd().slice(-maxChars).trimStart(), maxChars);
}
