// Where the peers are: what `npm run bench:setup` fetched, else what the system has.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Unpacked Debian packages; ignored by git. */
export const PEERS_ROOT = fileURLToPath(new URL('../.peers/root/', import.meta.url));
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'lib/x86_64-linux-gnu'];
const DEADLINE_MS = 10_000;

/** Path and environment of a program, or undefined where it is missing. */
export function findProgram(name) {
  const folders = [
    ...['usr/sbin', 'usr/bin', 'usr/lib/nagios/plugins'].map((folder) => join(PEERS_ROOT, folder)),
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/lib/nagios/plugins',
  ];
  const path = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  const libraries = LIBRARIES.map((folder) => join(PEERS_ROOT, folder)).join(delimiter);
  return { path, env: { ...process.env, LD_LIBRARY_PATH: libraries } };
}

/** First number in what a program says of its version; undefined where it is missing. */
export async function versionOf(name, flag) {
  const program = findProgram(name);
  if (program === undefined) return undefined;
  // Monitoring plugins tell their version and end with 3, which says that nothing was checked.
  const { stdout, stderr } = await promisify(execFile)(program.path, [flag], {
    env: program.env,
    timeout: DEADLINE_MS,
  }).catch((error) => (error.code === 3 ? error : Promise.reject(error)));
  return /\d+\.\d+[\w.+-]*/.exec(stdout + stderr)?.[0];
}
