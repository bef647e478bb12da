import { access } from 'node:fs/promises';
import type { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import { given } from '../../model/given.js';
import type { Machine } from '../../model/machine.js';
import type { VmSpec } from '../../model/vm.js';
import { livingState, startedAtMs } from '../process.js';
import type { VmPaths } from './paths.js';
import type { ArgvMark, FoundProcess, ProcScanner } from './proc-scan/proc-scanner.js';
import { digestOf, readRecord, type VmmRecord } from './record.js';

/** The one running VMM of a VM. */
export interface FoundVmm extends FoundProcess {
  readonly startedAtMs: number;
  /** Known when the record of its start speaks of this process. */
  readonly machineDigest?: string;
  readonly machine?: Machine;
}

/** By what the VMM of a VM is known. */
export type VmmMark =
  | {
      readonly argv: ArgvMark /** The first of our arguments on its command line. */;
      readonly firstArg: string;
    }
  /** Somebody else started it: the process that listens on its monitor socket. */
  | { readonly socket: string; readonly pidFile: string | undefined };

/**
 * Finds the VMM by what is true now: a process with this VM's mark in its command line, or for an adopted VM the one
 * that listens on its monitor socket. The record only adds what /proc does not know, so a lost, stale or wrong record
 * leads neither to a second start nor to somebody else's process.
 * Throws ERR_VMPULSE_IDENTITY when more than one process fits.
 */
export async function findVmm(
  vm: VmSpec,
  mark: VmmMark,
  paths: VmPaths,
  scanner: ProcScanner,
  deadline: Deadline,
): Promise<FoundVmm | undefined> {
  if ('socket' in mark) return onlyOne(vm, await scanner.listeners(mark.socket, mark.pidFile, deadline));
  const record = await deadline.race(readRecord(paths.record));
  const matches = await scanner.byMark(mark.argv, deadline);
  if (matches.length > 0) return onlyOne(vm, matches, record && { record, firstArg: mark.firstArg });
  return record && (await exiting(record, scanner, deadline));
}

function onlyOne(
  vm: VmSpec,
  found: readonly FoundProcess[],
  start?: { readonly record: VmmRecord; readonly firstArg: string },
): FoundVmm | undefined {
  const [process, ...others] = found;
  if (process === undefined) return undefined;
  if (others.length > 0) {
    const pids = found.map(({ pid }) => pid).join(', ');
    const text = `VM ${vm.id} has more than one VMM: processes ${pids}; end all but one, or name its pidFile`;
    throw new VmpulseError('ERR_VMPULSE_IDENTITY', text);
  }
  const recorded =
    start !== undefined &&
    isSameProcess(start.record, process) &&
    start.record.argvDigest === digestOf(process.argv, start.firstArg);
  if (recorded) return { ...process, ...startOf(start.record) };
  return { ...process, startedAtMs: startedAtMs(process.startTimeTicks) };
}

/** A process on its way out has no command line any more, yet may still hold its disks: it counts as running. */
async function exiting(
  record: VmmRecord,
  scanner: ProcScanner,
  deadline: Deadline,
): Promise<FoundVmm | undefined> {
  const { pid, startTimeTicks } = record;
  if (livingState({ pid, startTimeTicks }) === undefined) return undefined;
  const argv = await scanner.argv(pid, deadline);
  if (argv.length > 0 || livingState({ pid, startTimeTicks }) === undefined) return undefined;
  return { pid, startTimeTicks, argv, ...startOf(record) };
}

/** What only the record knows. */
function startOf({ startedAt, machineDigest, machine }: VmmRecord): Omit<FoundVmm, keyof FoundProcess> {
  return { startedAtMs: startedAt, machineDigest, ...given({ machine }) };
}

function isSameProcess(
  a: { pid: number; startTimeTicks: number },
  b: { pid: number; startTimeTicks: number },
): boolean {
  return a.pid === b.pid && a.startTimeTicks === b.startTimeTicks;
}

/** What a VMM that ended left behind, for a person; the next start clears it away. */
export async function leftoversOf(paths: VmPaths): Promise<string[]> {
  const candidates = [paths.record, ...paths.endpoints];
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  const found = await Promise.all(candidates.map(exists));
  return candidates.filter((_, i) => found[i]);
}
