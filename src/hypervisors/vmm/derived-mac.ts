import { createHash } from 'node:crypto';

/** A MAC address of the VM's own that stays the same over restarts. */
export function derivedMac(uuid: string, index: number): string {
  const digest = createHash('sha256').update(`${uuid}/${index}`).digest();
  return ['52', '54', '00', ...[0, 1, 2].map((i) => digest.toString('hex', i, i + 1))].join(':');
}
