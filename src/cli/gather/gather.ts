import { createWriteStream, existsSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Deadline } from '../../model/deadline.js';
import { errnoOf, errorMessage, isVmpulseError, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { VERSION } from '../../runtime/version.js';
import { type Folders, USUAL_FOLDERS } from './folders.js';
import { type Gathering, type GatherOptions, PARTS, type Part } from './parts.js';
import { Stage } from './stage.js';

export interface Gathered {
  readonly file: string;
  /** What it is of. */
  readonly from: Folders & { readonly configuration: string };
  readonly bytes: number;
  readonly files: number;
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

export interface GatherCall {
  /** For all parts together; packing comes after it. */
  readonly deadlineMs: number;
  /** Ends it without an archive. */
  readonly signal: AbortSignal;
  /** Hears of each part that begins. */
  readonly tell: (part: string) => void;
}

/** Longest time for one part, ms. */
const PART_MS = 60_000;

/**
 * Gathers everything that a person far away needs to understand this host, and packs it into `file`, which must not be
 * there: mode 0600, secrets taken out. A part that fails, or is not done in time, is named in the archive. Errors:
 * ERR_VMPULSE_USAGE where the file cannot be made, ERR_VMPULSE_ABORTED; then there is no file.
 */
export async function gather(
  file: string,
  options: GatherOptions,
  { deadlineMs, signal, tell }: GatherCall,
): Promise<Gathered> {
  if (existsSync(file)) throw notWritten(file, IS_THERE);
  const whole = new Deadline('must-gather', { deadlineMs, signal });
  const stage = await Stage.make();
  try {
    const gathering: Gathering = { ...options, stage, folders: USUAL_FOLDERS };
    for (const part of PARTS) {
      tell(part.name);
      await runPart(part, gathering, whole);
    }
    stage.seal();
    const { taken, missing } = stage;
    const from = { configuration: options.configPath, ...gathering.folders };
    const gatheredAt = new Date().toISOString();
    await stage.finish('manifest.json', { vmpulse: VERSION, gatheredAt, from, files: taken, missing });
    tell('archive');
    await pack(stage.files, file, signal);
    return { file, from, bytes: (await stat(file)).size, files: taken.length, missing };
  } finally {
    await stage.remove();
  }
}

async function runPart({ name, run }: Part, gathering: Gathering, whole: Deadline): Promise<void> {
  try {
    const deadline = whole.part(PART_MS);
    await deadline.race(run(gathering, deadline));
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_ABORTED')) throw error;
    const isLate = isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT');
    gathering.stage.lack(name, isLate ? 'not all of it was there in time' : errorMessage(error));
  }
}

const IS_THERE = 'there is a file of that name; name another with --output';

async function pack(dir: string, file: string, signal: AbortSignal): Promise<void> {
  const { create } = await import('tar');
  const out = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  try {
    const packed = create({ cwd: dir, gzip: true, portable: true, prefix: 'must-gather' }, ['.']);
    await pipeline(packed, out, { signal });
  } catch (error) {
    const isThere = errnoOf(error) === 'EEXIST';
    if (!isThere) await rm(file, { force: true });
    if (signal.aborted) throw new VmpulseError('ERR_VMPULSE_ABORTED', 'must-gather was interrupted');
    throw notWritten(file, isThere ? IS_THERE : errorMessage(error), error);
  }
}

function notWritten(file: string, why: string, cause?: unknown): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_USAGE', `${plainText(file)} cannot be written: ${why}`, { cause });
}
