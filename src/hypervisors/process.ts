import { readFileSync } from 'node:fs';
import type { ProcessIdentity } from '../model/vm.js';

/** USER_HZ of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcStat {
  /** R S D T t Z X I …, as in /proc/PID/stat. */
  readonly state: string;
  readonly parentPid: number;
  readonly threads: number;
  readonly startTimeTicks: number;
}

/** Reads /proc/PID/stat, which never blocks on the process; undefined when there is none. */
export function readProcStat(pid: number): ProcStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name in parentheses may hold spaces and parentheses itself; field 3 follows the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  return { state: fields[0] ?? '', parentPid: field(4), threads: field(20), startTimeTicks: field(22) };
}

/** State letter of exactly this process, or undefined once it is dead: gone, or a zombie without living threads. */
export function livingState(process: ProcessIdentity): string | undefined {
  const stat = readProcStat(process.pid);
  if (stat === undefined || stat.startTimeTicks !== process.startTimeTicks) return undefined;
  const ended = (stat.state === 'Z' || stat.state === 'X') && stat.threads <= 1;
  return ended ? undefined : stat.state;
}

/** The identity of a PID now, or undefined when no process has it. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readProcStat(pid);
  return stat === undefined ? undefined : { pid, startTimeTicks: stat.startTimeTicks };
}

/** Wall-clock ms at which a process with this start time began. */
export function startedAtMs(startTimeTicks: number): number {
  const uptimeSeconds = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
  return Math.round(Date.now() - (uptimeSeconds - startTimeTicks / TICKS_PER_SECOND) * 1000);
}

/** Differs after every boot of the host; start times count from the boot. */
export function hostBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
