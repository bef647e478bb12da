import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';

const DIGITS = { sha256: 64, sha512: 128 } as const;

export interface Checksum {
  readonly algorithm: keyof typeof DIGITS;
  /** Lower-case hex. */
  readonly hex: string;
}

/** `sha256:…` or `sha512:…`. Throws ERR_VMPULSE_ARGUMENT. */
export function parseChecksum(text: string): Checksum {
  const [, algorithm, hex = ''] = /^(sha256|sha512):([0-9a-f]+)$/i.exec(text.trim()) ?? [];
  const name = algorithm?.toLowerCase();
  if ((name === 'sha256' || name === 'sha512') && hex.length === DIGITS[name])
    return { algorithm: name, hex: hex.toLowerCase() };
  const text2 = `"${text.slice(0, 80)}" is not a checksum; write sha256: and 64 hex digits, or sha512: and 128`;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text2);
}

/** Digests of a file, read once. */
export async function digestsOf(
  path: string,
  algorithms: readonly Checksum['algorithm'][],
  { signal }: Pick<CallOptions, 'signal'>,
): Promise<ReadonlyMap<Checksum['algorithm'], string>> {
  const hashes = [...new Set(algorithms)].map((name) => [name, createHash(name)] as const);
  const stream = createReadStream(path, signal === undefined ? {} : { signal });
  for await (const chunk of stream) for (const [, hash] of hashes) hash.update(chunk);
  return new Map(hashes.map(([name, hash]) => [name, hash.digest('hex')]));
}
