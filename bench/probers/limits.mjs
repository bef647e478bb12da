// The raw loops of bench/limits: how far from the kernel's own cost a prober is.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CORES, spawnOn } from '../cores.mjs';

const FOLDER = fileURLToPath(new URL('../limits/', import.meta.url));
const BUILD_DEADLINE_MS = 120_000;
const ANSWER_DEADLINE_MS = 20_000;

const run = promisify(execFile);
const FLAGS = ['-std=c++20', '-O2', '-Wall', '-Wextra'];

/** Compiles the loops into a folder, side by side; resolves with the program, or null without a C++ compiler. */
export async function buildLimits(dir) {
  const program = join(dir, 'limits');
  const compile = async (name) => {
    const object = join(dir, `${name}.o`);
    await run('c++', [...FLAGS, '-c', '-o', object, join(FOLDER, name)], { timeout: BUILD_DEADLINE_MS });
    return object;
  };
  const sources = readdirSync(FOLDER).filter((name) => name.endsWith('.cpp'));
  try {
    const objects = await Promise.all(sources.map(compile));
    await run('c++', ['-o', program, ...objects], { timeout: BUILD_DEADLINE_MS });
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
  return program;
}

/** A raw loop as a prober; `mode` is one of limits/main.cpp. */
export function rawLoop(program, mode, peer) {
  return { peer, start: (job) => startLoop(program, mode, job) };
}

async function startLoop(program, mode, { kind, port, targets, rate }) {
  const args = [mode, kind, String(port), String(targets), String(rate)];
  const child = spawnOn(CORES.prober, program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout });
  const count = async () => {
    child.stdin.write('?');
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    const [line] = await Promise.race([
      once(lines, 'line', { signal }),
      ended.then(([code, by]) => {
        throw new Error(`limits ${mode} ${kind} ended: ${by ?? code}`);
      }),
    ]);
    const [, ok, failed] = line.split(' ').map(Number);
    return { ok, failed };
  };
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  return { pid: child.pid, count, stop };
}
