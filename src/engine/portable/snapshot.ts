import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { parseJson } from '../../model/parse-json.js';
import { isReason, type Reason } from '../../model/reasons.js';
import type { SavedThresholds } from '../thresholds.js';
import { argumentError } from './argument.js';

const FORMAT = 'vmpulse-portable-snapshot 1';
/** Targets that are written in one turn of the event loop, which takes about a millisecond. */
const TARGETS_A_TURN = 500;
const count = z.int().min(0);
const reason = z.custom<Reason>((value) => typeof value === 'string' && isReason(value));
const entry = z.tuple([
  z.string().regex(/^[0-9a-f]{1,16}$/),
  z.strictObject({
    known: z.enum(['unknown', 'ok', 'failed']),
    reason: reason.exactOptional(),
    consecutiveOk: count,
    consecutiveFailed: count,
    streakStartMs: z.number().min(0),
    lastAtMs: z.number().min(0),
    lastOkMs: z.number().min(0),
  }),
]);
const entries = z.array(entry);

/** What a snapshot says of each target, by the hash of its id. */
export type Saved = Map<bigint, SavedThresholds>;

/**
 * Writes a snapshot, a line with format and checksum, then JSON, in parts between which the event loop comes round. Each target
 * is taken out of `targets` when it is written.
 */
export async function encodeSnapshot(
  targets: Iterable<readonly [idHash: bigint, SavedThresholds]>,
): Promise<Uint8Array> {
  const hash = createHash('sha256');
  const parts: Buffer[] = [];
  const write = (json: string) => {
    const part = Buffer.from(json, 'utf8');
    hash.update(part);
    parts.push(part);
  };
  let text = '[';
  let count = 0;
  for (const [idHash, saved] of targets) {
    if (count > 0) text += ',';
    text += JSON.stringify([idHash.toString(16), saved]);
    count += 1;
    if (count % TARGETS_A_TURN !== 0) continue;
    write(text);
    text = '';
    await nextTurn();
  }
  write(`${text}]`);
  return Buffer.concat([Buffer.from(`${FORMAT} ${hash.digest('hex')}\n`, 'utf8'), ...parts]);
}

/** Reads a snapshot. Throws ERR_VMPULSE_ARGUMENT for damage of any kind and for other versions. */
export function decodeSnapshot(bytes: Uint8Array): Saved {
  const text = Buffer.from(bytes).toString('utf8');
  const end = text.indexOf('\n');
  const json = text.slice(end + 1);
  if (end === -1 || !text.startsWith(`${FORMAT} `)) {
    throw argumentError('this is no snapshot of the portable engine of this version');
  }
  if (text.slice(0, end) !== `${FORMAT} ${checksum(json)}`) {
    throw argumentError('the snapshot is damaged: its checksum differs');
  }
  const parsed = entries.safeParse(parseJson(json));
  if (!parsed.success) throw argumentError('the snapshot holds what no engine of this version writes');
  return new Map(parsed.data.map(([hash, saved]) => [BigInt(`0x${hash}`), saved]));
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex');
}
