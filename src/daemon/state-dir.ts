import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, errorMessage, VmpulseError } from '../model/errors.js';
import { lockStateDir } from './state-lock.js';
import { requireOwnFile, requireOwnFolder } from './trusted-paths.js';

/** What is opened and written in the state directory before anything else is. */
const JOURNAL_FILES = ['lock', 'journal.db', 'journal.db-wal', 'journal.db-shm', 'journal.db.id'];

/**
 * Makes the folders of a daemon and takes the state directory for this process, until `close()`. Throws
 * ERR_VMPULSE_SYSCALL, ERR_VMPULSE_UNTRUSTED, ERR_VMPULSE_LOCKED.
 */
export async function takeFolders(stateDir: string, runDir: string): Promise<{ close(): void }> {
  await makeFolder(stateDir, 0o750);
  await makeFolder(runDir, 0o755);
  await requireOwnFolder(stateDir);
  await requireOwnFolder(runDir);
  for (const file of JOURNAL_FILES) await requireOwnFile(join(stateDir, file));
  return lockStateDir(stateDir);
}

async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (cause) {
    const details = { errno: errnoOf(cause), syscall: 'mkdir' };
    const text = `cannot make ${path}: ${errorMessage(cause)}; run as root or name another directory`;
    throw new VmpulseError('ERR_VMPULSE_SYSCALL', text, { cause, details });
  }
}
