import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../kernel/users.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { VmmLimits } from '../../model/hypervisor.js';
import type { ProcessIdentity, VmSpec } from '../../model/vm.js';
import { identify } from '../process.js';
import { printable, readTail } from './logs.js';
import type { VmPaths } from './paths.js';
import type { ProcessSpec } from './process-spec.js';
import { asAccount } from './vmm-account.js';

const SYSTEMD_RUNS = '/run/systemd/system';
/** Never through a link. */
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const LOG_TAIL_BYTES = 4096;
const LOG_TAIL_LINES = 12;

/** A VMM that was just spawned. */
export interface LaunchedVmm {
  readonly process: ProcessIdentity;
  /** Rejects as soon as it ends; never resolves. */
  readonly ended: Promise<never>;
}

/** Whom a VMM runs as, and what keeps it within its limits. */
export interface Confinement {
  /** Undefined: as this process. */
  readonly account: Account | undefined;
  /** systemd-run, where VMMs get scopes. */
  readonly systemdRun: string | undefined;
}

/**
 * The program and arguments, in a transient scope of their own where systemd runs: a stop of the daemon's unit leaves them
 * alone, and the scope holds them to their limits. What comes before the program becomes it, so that the PID stays.
 */
export function launchCommand(
  vm: VmSpec<ProcessSpec>,
  argv: readonly string[],
  { account, systemdRun }: Confinement,
): string[] {
  const own = account === undefined ? [...argv] : [...asAccount(account), ...argv];
  if (systemdRun === undefined) return own;
  const options = [
    '--scope',
    // Another one with each start: systemd may know the former one for a moment longer.
    `--unit=vmpulse-${vm.namespace}-${vm.name}-${randomUUID().slice(0, 8)}`,
    '--slice=vmpulse.slice',
    '--collect',
    '--quiet',
    `--description=vmpulse VM ${vm.id}`,
    ...limitProperties(vm.hypervisor.limits).flatMap((property) => ['--property', property]),
  ];
  return [systemdRun, ...options, '--', ...own];
}

function limitProperties({ memoryMiB, cpus, tasks }: VmmLimits = {}): string[] {
  return [
    ...(memoryMiB === undefined ? [] : [`MemoryMax=${memoryMiB}M`]),
    ...(cpus === undefined ? [] : [`CPUQuota=${Math.round(cpus * 100)}%`]),
    ...(tasks === undefined ? [] : [`TasksMax=${tasks}`]),
  ];
}

/** systemd-run, if this process may and should use it. */
export function findSystemdRun(searchPath: string): string | undefined {
  if (process.geteuid?.() !== 0 || !existsSync(SYSTEMD_RUNS)) return undefined;
  return searchPath
    .split(':')
    .map((folder) => join(folder, 'systemd-run'))
    .find((path) => existsSync(path));
}

/**
 * Spawns the VMM in a session of its own with files for its output, so that it outlives this process in every case.
 * Throws ERR_VMPULSE_START_FAILED.
 */
export async function launch(
  vm: VmSpec,
  command: readonly string[],
  output: { readonly stdout: string; readonly stderr: string },
  searchPath: string,
): Promise<LaunchedVmm> {
  const files: FileHandle[] = [];
  try {
    for (const path of [output.stdout, output.stderr]) files.push(await open(path, APPEND, 0o600));
    const [out, err] = files.map(({ fd }) => fd);
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      detached: true,
      cwd: '/',
      env: { PATH: searchPath, LANG: 'C.UTF-8' },
      stdio: ['ignore', out, err],
    });
    child.unref();
    return await adoptChild(vm, child);
  } finally {
    for (const file of files) await file.close();
  }
}

async function adoptChild(vm: VmSpec, child: ChildProcess): Promise<LaunchedVmm> {
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(startFailed(vm, `it could not be run: ${error.message}`)));
    child.once('exit', (code, signal) =>
      reject(startFailed(vm, signal ? `it was ended by ${signal}` : `it ended with status ${code}`)),
    );
  });
  // Whoever awaits it hears of it; when nobody does, it is not an unhandled rejection.
  ended.catch(() => {});
  // Not yet reaped at this point, so that the PID is the child's even if it has ended.
  const process = child.pid === undefined ? undefined : identify(child.pid);
  if (process === undefined) return await ended;
  return { process, ended };
}

/** The error of a start that did not succeed, with the end of the VMM's log. */
export async function withLogTail(vm: VmSpec, error: unknown, paths: VmPaths): Promise<VmpulseError> {
  const tail = printable(await readTail(paths.vmmLog, LOG_TAIL_BYTES));
  const lines = tail.split('\n').filter((line) => line !== '');
  // The last words first, on one line: whoever shortens the message keeps what matters.
  const said =
    lines.length === 0
      ? `${paths.vmmLog} is empty`
      : `its log says, last line first: ${lines.slice(-LOG_TAIL_LINES).reverse().map(withoutStamp).join(' | ')}`;
  const reason =
    error instanceof VmpulseError && error.code === 'ERR_VMPULSE_START_FAILED'
      ? error.message
      : startFailed(vm, errorMessage(error)).message;
  return new VmpulseError('ERR_VMPULSE_START_FAILED', `${reason}; ${said}`, { cause: error });
}

/** A VMM's own time and name before the message only lengthen it. */
function withoutStamp(line: string): string {
  return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z? (?:\S*qemu\S*: |\[[^\]]{1,80}\] )?/, '');
}

function startFailed(vm: VmSpec, why: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_START_FAILED', `the VMM of ${vm.id} did not come up: ${why}`);
}
