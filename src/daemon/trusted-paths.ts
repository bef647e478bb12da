import { lstat, stat } from 'node:fs/promises';
import { isMissingFile, VmpulseError } from '../model/errors.js';

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/**
 * Throws ERR_VMPULSE_UNTRUSTED unless only root and this process may put something in a folder: what others may place
 * there, a link or a file, would be followed and written as if it were ours.
 */
export async function requireOwnFolder(path: string): Promise<void> {
  const { uid, gid, mode } = await stat(path);
  if (!isOurs(uid)) throw untrusted(path, `belongs to the user ${uid}`, `chown it to ${ownUid()}`);
  const byGroup = (mode & GROUP_WRITES) !== 0 && gid !== process.getegid?.();
  if (byGroup || (mode & OTHERS_WRITE) !== 0)
    throw untrusted(path, 'can be written by others', 'chmod go-w it');
}

/** As requireOwnFolder, for one with a socket in it: there a sticky bit is enough, as in /tmp. */
export async function requireSafeFolder(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & STICKY) === 0) await requireOwnFolder(path);
}

/** Throws ERR_VMPULSE_UNTRUSTED for a file that is there and is a link, has a second name, or belongs to somebody else. */
export async function requireOwnFile(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissingFile(error)) return undefined;
    throw error;
  });
  if (found === undefined) return;
  const why = found.isSymbolicLink()
    ? 'is a symbolic link'
    : !found.isFile()
      ? 'is no regular file'
      : found.nlink > 1
        ? 'has a second name (hard link)'
        : isOurs(found.uid)
          ? undefined
          : `belongs to the user ${found.uid}`;
  if (why !== undefined) throw untrusted(path, why, 'look who made it, and move it away');
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === ownUid();
}

function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

function untrusted(path: string, why: string, remedy: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_UNTRUSTED', `${path} ${why}; ${remedy}`);
}
