import { readFileSync } from 'node:fs';
import { errnoOf, errorMessage, VmpulseError } from '../model/errors.js';
import type { ProcessIdentity } from '../model/vm.js';
import { isSyscallError } from './native-errors.js';
import { Pidfd } from './pidfd.js';

/** Fields of /proc/PID/stat. */
export interface ProcessStat {
  /** R running, S sleeping, D waiting uninterruptibly, T stopped, t traced, Z zombie, I idle, X dead. */
  readonly state: string;
  /** Clock ticks from the host's boot to the start of the process. */
  readonly startTimeTicks: number;
}

/** A process that cannot be mistaken for a later one of its PID. The caller owns the pidfd. */
export interface OpenedProcess {
  readonly pidfd: Pidfd;
  readonly identity: ProcessIdentity;
}

/** The process that has this PID now; undefined when none has. Throws ERR_VMPULSE_SYSCALL when /proc is unreadable. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  const path = `/proc/${pid}/stat`;
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw new VmpulseError('ERR_VMPULSE_SYSCALL', errorMessage(error), {
      cause: error,
      details: { errno, syscall: 'read' },
    });
  }
  // Field 2, the name in parentheses, may hold spaces and parentheses itself; none of the fields after it does.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTimeTicks = Number(fields[22 - 3]);
  if (state?.length !== 1 || !Number.isSafeInteger(startTimeTicks)) {
    throw new VmpulseError('ERR_VMPULSE_INTERNAL', `${path} has an unknown format`);
  }
  return { state, startTimeTicks };
}

/** State letter of the process that has this PID now (see ProcessStat); undefined when none has. */
export function processState(pid: number): string | undefined {
  return readProcessStat(pid)?.state;
}

/**
 * Opens a process and proves which one it is. Throws ERR_VMPULSE_IDENTITY when `expectedStartTimeTicks` is given and
 * the PID belongs to another process, or none, by now; ERR_VMPULSE_SYSCALL with `errno` ESRCH when nothing was
 * expected and there is none.
 */
export function openProcess(pid: number, expectedStartTimeTicks?: number): OpenedProcess {
  const expected = expectedStartTimeTicks !== undefined;
  let pidfd: Pidfd;
  try {
    pidfd = new Pidfd(pid);
  } catch (error) {
    throw expected && isSyscallError(error, 'ESRCH') ? identityError(pid, 'it is gone', error) : error;
  }
  try {
    // The pidfd comes first: a PID cannot be reused before its process was reaped. So when the process of the pidfd
    // still exists after the file was read, the file was about that process.
    const stat = readProcessStat(pid);
    requireUnreaped(pidfd);
    if (stat === undefined) throw identityError(pid, 'it is hidden in /proc');
    if (expected && stat.startTimeTicks !== expectedStartTimeTicks) {
      throw identityError(
        pid,
        `it started at tick ${stat.startTimeTicks}, not ${expectedStartTimeTicks}: another process has the PID now`,
      );
    }
    return { pidfd, identity: { pid, startTimeTicks: stat.startTimeTicks } };
  } catch (error) {
    pidfd.close();
    throw expected && isSyscallError(error, 'ESRCH') ? identityError(pid, 'it is gone', error) : error;
  }
}

/** Throws ESRCH once the process was reaped. EPERM tells that it exists and belongs to someone else. */
function requireUnreaped(pidfd: Pidfd): void {
  try {
    pidfd.signal(0);
  } catch (error) {
    if (!isSyscallError(error, 'EPERM')) throw error;
  }
}

function identityError(pid: number, why: string, cause?: unknown): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_IDENTITY', `process ${pid} is not the expected one: ${why}`, {
    cause,
    details: { pid },
  });
}
