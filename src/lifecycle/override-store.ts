import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_FILE_BYTES, type Override, overridesPath, overridesText } from '../config/index.js';
import { VmpulseError } from '../model/errors.js';

/** Writes the file of overrides whole: whoever reads it, or dies meanwhile, has the former one or the new one. */
export async function writeOverrides(stateDir: string, overrides: readonly Override[]): Promise<void> {
  const path = overridesPath(stateDir);
  if (overrides.length === 0) {
    await rm(path, { force: true });
    await syncFolder(stateDir);
    return;
  }
  const text = overridesText(overrides);
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const message = `${overrides.length} settings are more than can be kept at run time; write what shall stay into the documents, and withdraw it here`;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', message);
  }
  const fresh = join(stateDir, 'overrides.new');
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  await syncFolder(stateDir);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
