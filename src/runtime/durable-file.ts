import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes a file that is whole or as it was, whatever dies meanwhile, and on disk when this resolves. Mode 0600. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
  await syncFolder(dirname(path));
}

/** What was made, renamed or removed in a folder is on disk when this resolves. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
