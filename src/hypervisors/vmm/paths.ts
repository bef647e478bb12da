import { join } from 'node:path';
import { VmpulseError } from '../../model/errors.js';
import type { VmSpec } from '../../model/vm.js';

/** sun_path has 108 bytes, the last is the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;
/** One component of a path, and never `.` or `..`. */
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

/** Everything of one VM in the run directory. Only vmpulse and the VMM use the folder. */
export interface VmPaths {
  readonly folder: string;
  /** Monitor or API of the VMM: it listens here, and nowhere else. */
  readonly monitorSocket: string;
  /** Sockets and fifos, the monitor's first: they mean nothing once the VMM has ended. */
  readonly endpoints: readonly string[];
  readonly record: string;
  readonly consoleLog: string;
  /** stdout and stderr of the VMM. */
  readonly vmmLog: string;
}

/**
 * Paths of a VM; `endpoints` are names in its folder, the monitor's first.
 * Throws ERR_VMPULSE_ARGUMENT for a namespace or name that is no safe folder name.
 */
export function vmPaths(
  runDir: string,
  vm: VmSpec,
  endpoints: readonly [monitor: string, ...others: string[]],
): VmPaths {
  for (const part of [vm.namespace, vm.name]) {
    if (SAFE_NAME.test(part)) continue;
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `VM ${vm.id}: "${part}" cannot be a folder name; use letters, digits, - . _`,
    );
  }
  const folder = join(runDir, 'vms', vm.namespace, vm.name);
  return {
    folder,
    monitorSocket: join(folder, endpoints[0]),
    endpoints: endpoints.map((name) => join(folder, name)),
    record: join(folder, 'vmm.pid'),
    consoleLog: join(folder, 'console.log'),
    vmmLog: join(folder, 'vmm.log'),
  };
}

/** Why a VMM could not listen at this path, or undefined when it can. */
export function socketPathProblem(path: string): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return undefined;
  return `socket path ${path} has ${bytes} bytes, ${MAX_SOCKET_PATH_BYTES} are possible; use a shorter run directory or VM name`;
}
