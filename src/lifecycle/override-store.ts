import { rm } from 'node:fs/promises';
import { MAX_FILE_BYTES, type Override, overridesPath, overridesText } from '../config/index.js';
import { syncFolder, writeDurably } from '../kernel/durable-file.js';
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
  await writeDurably(path, text);
}
