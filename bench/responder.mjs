// Builds and runs responder.cpp.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('./responder.cpp', import.meta.url));
const BUILD_DEADLINE_MS = 60_000;
const START_DEADLINE_MS = 10_000;

/** Compiles the responder into a folder; resolves with the program. */
export async function buildResponder(dir) {
  const program = join(dir, 'responder');
  const args = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-Werror', '-o', program, SOURCE];
  await promisify(execFile)('c++', args, { timeout: BUILD_DEADLINE_MS }).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    throw new Error('the bench needs a C++ compiler for its responder: apt install g++', { cause: error });
  });
  return program;
}

/** Starts one; `stop()` resolves once it is gone, and with it its port. It also ends with this process. */
export async function startResponder(program) {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  try {
    const signal = AbortSignal.timeout(START_DEADLINE_MS);
    const [line] = await once(createInterface({ input: child.stdout }), 'line', { signal });
    return { port: Number(line), stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** The address of the n-th target: all different, all in 127.0.0.0/8. */
export function loopbackAddress(n) {
  return `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}
