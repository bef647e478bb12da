import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { errnoOf } from '../../model/errors.js';
import type { Outcome } from '../../model/outcome.js';
import { argumentError } from './argument.js';

const STAT_BYTES = 1024;
/** Place of the start time behind the command name, whose own place is the second (proc(5)). */
const START_TIME_FIELD = 19;
const OK: Outcome = { result: 'ok' };
const GONE: Outcome = { result: 'failed', reason: 'process-gone' };
const STOPPED: Outcome = { result: 'failed', reason: 'process-stopped' };
/** It may well live, but /proc does not show it (hidepid), or no descriptor is left. */
const UNSEEN: Outcome = { result: 'inconclusive', reason: 'prober-resources' };

interface ProcessStat {
  readonly state: string;
  /** Clock ticks since the host's start; with the PID it names a process. */
  readonly startTime: string;
}

/** A process, known by its PID and its start time; the pidfd is looked at once and is the caller's. */
export class ProcessIdentity {
  readonly pid: number;
  /** Undefined: it had ended already. */
  readonly #startTime: string | undefined;

  /** `proof`: a pidfd, or the start time. Throws ERR_VMPULSE_ARGUMENT when the pidfd is none, or of another process. */
  constructor(pid: number, proof: { readonly pidfd: number } | { readonly startTimeTicks: number }) {
    this.pid = pid;
    if ('startTimeTicks' in proof) {
      this.#startTime = String(proof.startTimeTicks);
      return;
    }
    const { pidfd } = proof;
    if (pidOf(pidfd, pid) === -1) return;
    const stat = readStat(pid);
    // Still not reaped, so what was read between is about this process.
    if (typeof stat === 'object' && pidOf(pidfd, pid) !== -1) this.#startTime = stat.startTime;
    else if (stat === 'unseen') throw argumentError(`/proc/${pid}/stat cannot be read`);
  }

  /** Looks at the process. */
  look(): Outcome {
    if (this.#startTime === undefined) return GONE;
    const stat = readStat(this.pid);
    if (stat === 'gone') return GONE;
    if (stat === 'unseen') return UNSEEN;
    if (stat.startTime !== this.#startTime || stat.state === 'Z' || stat.state === 'X') return GONE;
    return stat.state === 'T' || stat.state === 't' ? STOPPED : OK;
  }

  get hasEnded(): boolean {
    return this.look() === GONE;
  }
}

/** The PID of a pidfd, -1 once it was reaped. */
function pidOf(pidfd: number, pid: number): number {
  let info: string;
  try {
    info = readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8');
  } catch {
    throw argumentError(`pidfd ${pidfd} is not an open descriptor`);
  }
  const found = /^Pid:\t(-?\d+)$/m.exec(info);
  if (found === null) throw argumentError(`descriptor ${pidfd} is not a pidfd`);
  const owner = Number(found[1]);
  if (owner !== -1 && owner !== pid) {
    throw argumentError(`pidfd ${pidfd} is of process ${owner}, not of ${pid}`);
  }
  return owner;
}

function readStat(pid: number): ProcessStat | 'gone' | 'unseen' {
  let text: string;
  try {
    text = readStart(`/proc/${pid}/stat`);
  } catch (error) {
    return ['ENOENT', 'ESRCH'].includes(errnoOf(error)) ? 'gone' : 'unseen';
  }
  // The command name is in parentheses and may hold any character, parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[START_TIME_FIELD];
  return state === undefined || startTime === undefined ? 'unseen' : { state, startTime };
}

/** The first bytes of a file; /proc answers at once. */
function readStart(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(STAT_BYTES);
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}
