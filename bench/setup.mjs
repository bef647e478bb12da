// npm run bench:setup: fetches the peers' Debian packages and unpacks them below bench/.peers. Nothing is installed, no
// service is started, no rights are needed. Remove the folder to be rid of them.
import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram, PEERS_ROOT, versionOf } from './probers/debian.mjs';

/** Packages, and what each is for: a program, and how it tells its version. */
const PEERS = {
  haproxy: ['haproxy', '-v'],
  'prometheus-blackbox-exporter': ['prometheus-blackbox-exporter', '--version'],
  fping: ['fping', '-v'],
  'monitoring-plugins-basic': ['check_tcp', '--version'],
};
const DEADLINE_MS = 300_000;

const run = (program, args, options) =>
  promisify(execFile)(program, args, { timeout: DEADLINE_MS, ...options });

/** The packages that apt would install for these, and they themselves. */
async function withDependencies(names) {
  const { stdout } = await run('apt-get', ['install', '--simulate', '--no-install-recommends', ...names]);
  const needed = [...stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  return [...new Set([...names, ...needed])];
}

async function main() {
  const missing = Object.keys(PEERS).filter((name) => findProgram(PEERS[name][0]) === undefined);
  if (missing.length > 0) {
    const folder = fileURLToPath(new URL('./.peers/', import.meta.url));
    await mkdir(PEERS_ROOT, { recursive: true });
    await run('apt-get', ['download', ...(await withDependencies(missing))], { cwd: folder });
    for (const name of await readdir(folder)) {
      if (name.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(folder, name), PEERS_ROOT]);
    }
  }
  for (const [name, flag] of Object.values(PEERS)) {
    const { path } = findProgram(name) ?? {};
    console.log(`${name} ${(await versionOf(name, flag)) ?? 'is missing'} ${path ?? ''}`);
  }
}

main().catch((error) => {
  console.error(
    `${error.message}\nbench:setup needs Debian or Ubuntu with fresh package lists (apt-get update)`,
  );
  process.exitCode = 1;
});
