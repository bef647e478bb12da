import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { VERSION } from '../../runtime/version.js';
import { type Gathering, type GatherOptions, PARTS } from './parts.js';
import { Stage } from './stage.js';

export interface Gathered {
  readonly file: string;
  readonly bytes: number;
  readonly files: number;
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Gathers everything that a person far away needs to understand this host, and packs it into `file`, which must not be
 * there: mode 0600, secrets taken out. `tell` hears of each part. Errors: ERR_VMPULSE_USAGE where the file cannot be made.
 */
export async function gather(
  file: string,
  options: GatherOptions,
  tell: (part: string) => void,
): Promise<Gathered> {
  const stage = await Stage.make();
  try {
    const gathering: Gathering = { ...options, stage };
    for (const part of PARTS) {
      tell(part.name);
      await part.run(gathering).catch((error: unknown) => stage.lack(part.name, errorMessage(error)));
    }
    const { taken, missing } = stage;
    const manifest = { vmpulse: VERSION, gatheredAt: new Date().toISOString(), files: [...taken], missing };
    await stage.json('manifest.json', manifest);
    tell('archive');
    await pack(stage.dir, file);
    return { file, bytes: (await stat(file)).size, files: taken.length, missing };
  } finally {
    await stage.remove();
  }
}

async function pack(dir: string, file: string): Promise<void> {
  const { create } = await import('tar');
  const out = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  try {
    const packed = create({ cwd: dir, gzip: true, portable: true, prefix: 'must-gather' }, ['.']);
    await pipeline(packed, out);
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!isThere) await rm(file, { force: true });
    const why = isThere ? 'there is a file of that name; name another with --output' : errorMessage(error);
    throw new VmpulseError('ERR_VMPULSE_USAGE', `${plainText(file)} cannot be written: ${why}`, {
      cause: error,
    });
  }
}
