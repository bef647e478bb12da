// The other end of the probes: the engine addon's responder, in a process on a core of its own.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CORES, spawnOn } from './cores.mjs';

const PROGRAM = fileURLToPath(new URL('./processes/responder.mjs', import.meta.url));
const START_DEADLINE_MS = 20_000;

/** Starts one; `stop()` resolves once it is gone, and with it its port. It also ends with this process. */
export async function startResponder({ tls = false } = {}) {
  const child = spawnOn(CORES.others, process.execPath, [PROGRAM, ...(tls ? ['tls'] : [])], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.connected) child.disconnect();
    await ended;
  };
  try {
    const [port] = await once(child, 'message', { signal: AbortSignal.timeout(START_DEADLINE_MS) });
    return { port, stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** The address of the n-th target: all different, all in 127.0.0.0/8. */
export function loopbackAddress(n) {
  return `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}
