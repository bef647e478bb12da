import type { VmmEvent } from '../../model/ports.js';
import { readTail } from '../vmm/logs.js';

const TAIL_BYTES = 4096;
const LAST_LINE = /Firecracker exiting (?:successfully|with error)\. exit_code=(\d{1,3})\b/g;

/** What an exit code of Firecracker means. */
const CODES: Readonly<Record<number, string>> = {
  1: 'error',
  2: 'unexpected error',
  148: 'forbidden system call',
  149: 'SIGBUS',
  150: 'SIGSEGV',
  151: 'SIGXFSZ',
  152: 'bad configuration',
  153: 'bad arguments',
  154: 'SIGXCPU',
  155: 'SIGPIPE',
  156: 'SIGHUP',
  157: 'SIGILL',
};

/**
 * Why Firecracker ended, as the end of its log says; undefined where it was killed and could say nothing. A guest that
 * powers off and one that reboots look the same: both end it in order.
 */
export async function exitReason(log: string): Promise<VmmEvent | undefined> {
  const code = lastExitCode((await readTail(log, TAIL_BYTES)).toString('latin1'));
  if (code === undefined) return undefined;
  if (code === 0) return { type: 'shutdown', guest: true, reason: 'guest-shutdown' };
  const what = CODES[code];
  const reason = `host-error: exit code ${code}${what === undefined ? '' : `, ${what}`}`;
  return { type: 'shutdown', guest: false, reason };
}

function lastExitCode(log: string): number | undefined {
  const found = [...log.matchAll(LAST_LINE)].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
}
