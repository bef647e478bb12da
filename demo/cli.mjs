import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const run = promisify(execFile);

/** What `vmpulse … --json` printed. The demonstration knows the daemon by its command line alone. */
export async function vmpulse(world, ...args) {
  const { stdout } = await run(process.execPath, [CLI, ...args, '--json', '--socket', world.socket], {
    timeout: 30_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}
