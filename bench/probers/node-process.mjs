// Probers that are Node programs of ours: a process on the prober's core that answers questions over IPC.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CORES, spawnOn } from '../cores.mjs';

const DEADLINE_MS = 60_000;

/**
 * Starts processes/<file> with options; it answers each question with its figures so far (at least ok and failed) and
 * ends with the IPC channel.
 */
export async function startNodeProber(file, options) {
  const program = fileURLToPath(new URL(`../processes/${file}`, import.meta.url));
  const child = spawnOn(CORES.prober, process.execPath, ['--expose-gc', program, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const message = async () => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const gone = ended.then(([code, by]) => Promise.reject(new Error(`${file} ended: ${by ?? code}`)));
    gone.catch(() => {});
    return (await Promise.race([once(child, 'message', { signal }), gone]))[0];
  };
  const stop = async () => {
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    await ended;
    clearTimeout(timer);
  };
  try {
    await message();
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    pid: child.pid,
    figures: () => {
      child.send('figures');
      return message();
    },
    stop,
  };
}
