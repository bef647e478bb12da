import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage, VmpulseError } from '../model/errors.js';

/** Where an addon may be, and how a file becomes a module. */
export interface AddonSearch {
  /** File name without `.node`, for example `kernel`. */
  readonly name: string;
  /** Folder of package.json. */
  readonly root: URL;
  /** Local builds relative to `root`; the most recently written one is tried first. */
  readonly localBuilds: readonly string[];
  /** The caller's choice: nothing else is tried then. */
  readonly path?: string | undefined;
  /** A `require` function. */
  readonly load: (path: string) => unknown;
}

/** The addon and where it was found. */
export interface LoadedAddon {
  readonly path: string;
  readonly exports: unknown;
}

/**
 * Loads the first that works of: the caller's path (alone, where given); the local builds, freshest first; the
 * prebuilt file of this platform. Throws ERR_VMPULSE_NATIVE naming each path tried and why it failed.
 */
export function loadAddon(search: AddonSearch): LoadedAddon {
  const failures: string[] = [];
  for (const path of candidates(search)) {
    if (modifiedMs(path) === undefined) {
      failures.push(`${path}: no such file`);
      continue;
    }
    try {
      return { path, exports: search.load(path) };
    } catch (error) {
      failures.push(`${path}: ${errorMessage(error)}`);
    }
  }
  const remedy = search.path === undefined ? '; build it with: npm run build:native' : '';
  throw new VmpulseError(
    'ERR_VMPULSE_NATIVE',
    `the ${search.name} addon could not be loaded; tried:\n  ${failures.join('\n  ')}${remedy}`,
    { details: { tried: failures } },
  );
}

function candidates({ name, root, localBuilds, path }: AddonSearch): readonly string[] {
  if (path !== undefined) return [path];
  const folder = fileURLToPath(root);
  const local = localBuilds
    .map((build) => join(folder, build))
    .sort((a, b) => (modifiedMs(b) ?? 0) - (modifiedMs(a) ?? 0));
  const platform = `${process.platform}-${process.arch}-${libc()}`;
  return [...local, join(folder, 'prebuilds', platform, `${name}.node`)];
}

function modifiedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** C library of this process, by the dynamic linker that is mapped into it. */
function libc(): 'glibc' | 'musl' {
  return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'glibc';
}
