import { type FoundVms, findVms } from '../hypervisors/discovery/index.js';
import type { CallOptions } from '../model/ports.js';
import type { WorkerPool } from '../pool/index.js';
import { runTool } from './run-tool.js';

/** The VMs of this very host. Changes nothing, opens no socket. */
export function findOnHost(pool: Pick<WorkerPool, 'run'>, options: CallOptions): Promise<FoundVms> {
  const runInPool: WorkerPool['run'] = (worker, args, call) => pool.run(worker, args, call);
  return findVms({ runInPool, run: runTool }, options);
}
