import { z } from 'zod';
import { given } from '../model/given.js';
import type { GrpcCheck } from '../model/probe.js';
import { hasControlCharacters, textField } from './fields.js';
import { tlsConflicts, tlsFields, toTls } from './stream-tls.js';

const MAX_SERVICE_BYTES = 256;

/** What is wrong with the name of a service, or undefined. */
export function serviceProblem(text: string): string | undefined {
  if (Buffer.byteLength(text) > MAX_SERVICE_BYTES)
    return `is longer than ${MAX_SERVICE_BYTES} bytes; shorten it`;
  return hasControlCharacters(text) ? 'has a control character; leave it out' : undefined;
}

function authorityProblem(text: string): string | undefined {
  return /^[!-.0-~]{1,300}$/.test(text)
    ? undefined
    : `is not an authority ("${text}"); write a host, perhaps with a port, without scheme or path`;
}

/** Fields of a document that say what is asked. */
export const grpcFields = {
  ...tlsFields,
  service: textField({ unit: 'service', example: 'acme.web.v1.Shop' }, serviceProblem).optional(),
  authority: textField({ unit: 'authority', example: 'shop.example:443' }, authorityProblem).optional(),
} as const;

type WrittenGrpc = z.output<z.ZodObject<typeof grpcFields>>;

/** Rules between these fields. */
export function* grpcConflicts(
  written: WrittenGrpc,
): Iterable<readonly [field: keyof WrittenGrpc, message: string]> {
  yield* tlsConflicts(written, written.tls === true, 'set tls: true');
}

export function toGrpc(written: WrittenGrpc): GrpcCheck {
  const { service, authority, tls } = written;
  return {
    ...(service === undefined || service === '' ? {} : { service }),
    ...given({ authority }),
    ...(tls === true ? { tls: toTls(written) } : {}),
  };
}

/** A check that is made over a connection of another sort. */
export const grpcTalkSchema = z
  .strictObject(grpcFields)
  .superRefine((written, ctx) => {
    for (const [field, message] of grpcConflicts(written))
      ctx.addIssue({ code: 'custom', message, path: [field], input: written[field] });
  })
  .transform(toGrpc);
