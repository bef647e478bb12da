import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a file that is whole or as it was, whatever dies meanwhile, and on disk when this resolves. What others may have
 * put beside it is never written through.
 */
export async function writeDurably(path: string, text: string, mode = 0o600): Promise<void> {
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  await writeSynced(partial, text, mode);
  await rename(partial, path);
  await syncFolder(dirname(path));
}

/** A new file, whose content is on disk when this resolves; its name is with syncFolder(). */
export async function writeSynced(path: string, text: string, mode = 0o600): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What was made, renamed or removed in it is so after a loss of power, too. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
