import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { failure, Refusal } from './api-errors.js';

const MAX_BODY_BYTES = 64 * 1024;
const TEN_YEARS_MS = 3650 * 86_400_000;

const line = (maxChars: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(maxChars)
    .transform((text) => plainText(text, maxChars));
/** Who commands. */
export const authorField = line(128);
export const reasonField = line(500);
/** A VM, by name or namespace/name; left out: all. */
export const vmField = z.string().min(1).max(512).optional();

/** Body of commands about the VM of the path that need nothing but their author. */
export const authorBody = z.strictObject({ author: authorField });

export const vmAndAuthorBody = z.strictObject({ vm: vmField, author: authorField });

/** What holds something for a time; without `forMs` until it is ended. */
export const holdFields = z.strictObject({
  reason: reasonField,
  author: authorField,
  forMs: z.int().min(1).max(TEN_YEARS_MS).optional(),
});

/** As readBody; no body at all is an empty object. */
export async function readBodyOrNothing<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(request);
  return check(text === '' ? {} : parseJson(text), schema);
}

/** Reads a request's body. Throws ERR_VMPULSE_ARGUMENT naming each wrong member. */
export async function readBody<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes = MAX_BODY_BYTES,
): Promise<T> {
  return check(parseJson(await readText(request, maxBytes)), schema);
}

function check<T>(body: unknown, schema: z.ZodType<T>): T {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the body does not fit: ${problems.join('; ')}`);
}

function readText(request: IncomingMessage, maxBytes = MAX_BODY_BYTES): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // The rest is read and dropped: a connection cut off in the middle would not carry the answer.
      if (bytes > maxBytes) reject(tooLarge(maxBytes));
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('error', reject);
    request.once('close', () => reject(new VmpulseError('ERR_VMPULSE_ARGUMENT', 'the body broke off')));
  });
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(failure(413, 'ERR_VMPULSE_ARGUMENT', `the body is larger than ${maxBytes} bytes`));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'the body is no JSON');
  }
}
