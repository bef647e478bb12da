import { type FoundVms, findVms } from '../hypervisors/discovery/index.js';
import type { CallOptions } from '../model/ports.js';
import type { WorkerPool } from '../pool/index.js';
import { runChild } from '../probes/command/child.js';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const OUTPUT_BYTES = 1024 * 1024;

/** The VMs of this very host. Changes nothing, opens no socket. */
export function findOnHost(pool: Pick<WorkerPool, 'run'>, options: CallOptions): Promise<FoundVms> {
  return findVms(
    {
      runInPool: (worker, args, call) => pool.run(worker, args, call),
      run: (argv, { deadlineMs, signal }) => {
        const timeout = AbortSignal.timeout(deadlineMs);
        const env = { PATH: SEARCH_PATH, LANG: 'C.UTF-8' };
        const ended = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
        return runChild({ argv, cwd: '/', env, signal: ended, keptBytes: OUTPUT_BYTES });
      },
    },
    options,
  );
}
