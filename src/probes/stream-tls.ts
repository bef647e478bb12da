import { given } from '../model/given.js';
import type { StreamTls } from '../model/probe.js';
import { absolutePathField, booleanField, countField, hostField } from './fields.js';

/** Fields of a document that say how a conversation is encrypted. */
export const tlsFields = {
  tls: booleanField.optional(),
  serverName: hostField.optional(),
  verify: booleanField.optional(),
  caFile: absolutePathField.optional(),
  certificateExpiresWithinDays: countField({ unit: 'days', example: '14' }, 1, 3650).optional(),
} as const;

interface WrittenTls {
  readonly tls?: boolean | undefined;
  readonly serverName?: string | undefined;
  readonly verify?: boolean | undefined;
  readonly caFile?: string | undefined;
  readonly certificateExpiresWithinDays?: number | undefined;
}

/** Rules between these fields; `remedy`: what would encrypt the conversation, where nothing does. */
export function* tlsConflicts(
  written: WrittenTls,
  isEncrypted: boolean,
  remedy: string,
): Iterable<readonly [field: keyof WrittenTls, message: string]> {
  for (const field of ['verify', 'serverName', 'certificateExpiresWithinDays'] as const) {
    const isSet = written[field] !== undefined && written[field] !== false;
    if (isSet && !isEncrypted) yield [field, `needs TLS; ${remedy}`];
  }
  if (written.caFile !== undefined && written.verify !== true)
    yield ['caFile', 'is looked at only with verify: true; add it'];
}

export function toTls({
  serverName,
  verify,
  caFile,
  certificateExpiresWithinDays: days,
}: WrittenTls): StreamTls {
  return {
    ...given({ serverName, verify, caFile, certificateExpiresWithinDays: days }),
  };
}
