import { fork, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));
const DEADLINE_MS = 300_000;

const ARGUMENTS = ['--expose-gc'];

/** Whether a process may have a network namespace of its own here. */
export const canIsolate = () => spawnSync('unshare', ['--net', 'true']).status === 0;

/**
 * Runs a job of jobs/index.mjs in a process of its own and resolves with its result; abort ends it. `options.isolated`: also in
 * a network namespace of its own.
 */
export function runJob(job, options, signal) {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
    const program = options.isolated
      ? { execPath: 'unshare', execArgv: ['--net', process.execPath, ...ARGUMENTS] }
      : { execArgv: ARGUMENTS };
    const child = fork(CHILD, { ...program, signal: limit, killSignal: 'SIGKILL' });
    child.once('error', (error) => reject(limit.aborted ? limit.reason : error));
    child.once('exit', (code, by) => reject(new Error(`${job} ended without a result: ${by ?? code}`)));
    child.once('message', ({ result, error }) => {
      if (error === undefined) resolve(result);
      else reject(new Error(`${job}: ${error}`));
    });
    child.send({ job, options });
  });
}
