import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { HostUser } from '../../kernel/users.js';
import { errorMessage } from '../../model/errors.js';
import { withSignal } from '../../model/with-signal.js';
import { chooseUser } from '../../probes/command/user.js';

const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const EXECUTE = 0o111;

/** As whom a program of the host is run, and why it may not be; undefined: it may. */
export interface Runner {
  /** Undefined: as this process. */
  readonly user: HostUser | undefined;
  readonly refused: string | undefined;
}

/**
 * Finds that out, or rejects when the signal fires: a file system that hangs keeps nobody waiting. Rejects with the
 * errors of chooseUser.
 */
export function chooseRunner(
  program: string,
  userName: string | undefined,
  signal: AbortSignal,
): Promise<Runner> {
  const look = async () => {
    const user = userName === undefined ? undefined : await chooseUser(userName);
    return { user, refused: await untrusted(program, user?.uid) };
  };
  return withSignal(look(), signal);
}

/**
 * Why a program may not be run for the host: others than root, this process and `uid` could have written it, or what
 * the path leads through. Undefined: it may. What a link leads to is looked at as well as the link.
 */
export async function untrusted(path: string, uid: number | undefined): Promise<string | undefined> {
  const owners = new Set([0, process.geteuid?.() ?? 0, ...(uid === undefined ? [] : [uid])]);
  try {
    const target = await realpath(path);
    for (const each of new Set([...upwards(path), ...upwards(target)])) {
      const problem = await writableByOthers(each, owners);
      if (problem !== undefined) return problem;
    }
    const found = await lstat(target);
    if (!found.isFile()) return `${path} is no file; name a program or script`;
    return (found.mode & EXECUTE) === 0
      ? `${path} cannot be executed; run chmod +x ${path}, and let it begin with #! where it is a script`
      : undefined;
  } catch (error) {
    return `${path} cannot be looked at: ${errorMessage(error)}`;
  }
}

function upwards(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...upwards(parent)];
}

async function writableByOthers(path: string, owners: ReadonlySet<number>): Promise<string | undefined> {
  const found = await lstat(path);
  if (!owners.has(found.uid))
    return `${path} belongs to user ${found.uid}, who could change what is run; let root own it, or name that user`;
  if (found.isSymbolicLink()) return undefined;
  // In a folder such as /tmp nobody can replace what belongs to others.
  const isShared = found.isDirectory() && (found.mode & STICKY) !== 0;
  if ((found.mode & GROUP_OR_OTHERS_WRITE) === 0 || isShared) return undefined;
  return `${path} can be written by others than its owner, so anybody could change what is run; run chmod go-w ${path}`;
}
