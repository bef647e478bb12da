import { readdirSync } from 'node:fs';
import { findProgram, run } from './run.mjs';

const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
const COMMON = ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3'];

/** What a user types or does to get packages. */
export function installCommand(packages) {
  const names = packages.join(' ');
  if (findProgram('apt-get') === undefined)
    return `install what Debian calls ${names} with your package manager`;
  return `sudo apt-get install -y --no-install-recommends ${names}`;
}

/**
 * Why apt may not be used here, or `undefined` if it may.
 *
 * @param {{ asRoot: boolean }} need installing needs root, downloading does not
 * @returns {string | undefined}
 */
export function aptRefusal({ asRoot }) {
  if (process.env.VMPULSE_NO_APT === '1') return 'VMPULSE_NO_APT=1 forbids it';
  if (findProgram('apt-get') === undefined) return 'there is no apt-get here';
  if (asRoot && process.getuid?.() !== 0) return 'this is not root';
  return undefined;
}

/**
 * Installs packages without their recommendations, refreshing the package lists when that is what is missing.
 *
 * @param {readonly string[]} packages
 * @param {(line: string) => void} log
 */
export async function aptInstall(packages, log) {
  log(`  installing ${packages.join(' ')}`);
  const args = ['install', ...COMMON, '-y', '--no-install-recommends', ...packages];
  await withPackageLists(log, () => run('apt-get', args, { env: ENVIRONMENT, log }));
}

/**
 * Downloads packages into a folder without installing them.
 *
 * @param {readonly string[]} packages
 * @param {string} folder
 * @param {(line: string) => void} log
 */
export async function aptDownload(packages, folder, log) {
  log(`  downloading ${packages.join(' ')}`);
  // The unprivileged user that apt would switch to cannot write into a private folder.
  const args = ['download', ...COMMON, '-o', 'APT::Sandbox::User=root', ...packages];
  await run('apt-get', args, { cwd: folder, env: ENVIRONMENT, log });
}

/**
 * The direct dependencies of a package.
 *
 * @param {string} name
 * @returns {Promise<string[]>} empty if apt does not know the package
 */
export async function aptDependencies(name) {
  const text = await run('apt-cache', ['depends', '--important', name], { env: ENVIRONMENT }).catch(() => '');
  return [...text.matchAll(/^\s*\|?(?:Pre)?Depends: (\S+)/gm)].map((match) => match[1]);
}

/**
 * Runs an action that reads the package lists. When there are none, or the action fails because they are
 * outdated, they are fetched and the action runs (again).
 *
 * @template T
 * @param {(line: string) => void} log
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function withPackageLists(log, action) {
  if (!listsPresent()) await update(log);
  try {
    return await action();
  } catch (error) {
    if (updated || process.getuid?.() !== 0) throw error;
    await update(log);
    return action();
  }
}

let updated = false;

async function update(log) {
  if (process.getuid?.() !== 0) return;
  log('  refreshing the package lists (apt-get update)');
  updated = true;
  // One unreachable extra repository must not stop the rest: apt then ends with a warning or an error, and
  // what follows shows whether the needed packages are known.
  await run('apt-get', ['update', ...COMMON], { env: ENVIRONMENT, log }).catch((error) =>
    log(`  ${error.message}`),
  );
}

function listsPresent() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => /_Packages(\.\w+)?$/.test(name));
  } catch {
    return false;
  }
}
