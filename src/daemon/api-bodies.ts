import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { MAX_DURATION_MS } from '../config/index.js';
import { VmpulseError } from '../model/errors.js';
import { parseJson } from '../model/parse-json.js';
import { plainText } from '../model/plain-text.js';
import { failure, Refusal } from './api-errors.js';

export const MAX_AUTHOR_CHARS = 128;
export const MAX_REASON_CHARS = 500;

const line = (maxChars: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(maxChars)
    .transform((text) => plainText(text, maxChars));
export const reasonField = line(MAX_REASON_CHARS);
/** A VM, by name or namespace/name; left out: all. */
export const vmField = z.string().min(1).max(512).optional();

export const vmBody = z.strictObject({ vm: vmField });
export const vmQuery = z.strictObject({ vm: vmField });

/** How long something holds, ms. */
export const periodField = z.int().min(1).max(MAX_DURATION_MS);

/** What holds something for a time; without `forMs` until it is ended. */
export const holdFields = z.strictObject({
  reason: reasonField,
  forMs: periodField.optional(),
});

/** A whole number of a query. */
export function wholeField(usual: number, max: number) {
  const message = `must be a whole number up to ${max}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .refine((value) => value <= max, message)
    .prefault(String(usual));
}

/** Words separated by commas, each one of `words`. */
export function listField<T extends string>(words: readonly T[]) {
  const message = `takes ${words.join(', ')}, separated by commas`;
  return z
    .string()
    .max(512)
    .transform((text, context): readonly T[] => {
      const found = text.split(',').flatMap((word) => words.find((one) => one === word) ?? []);
      if (found.length === text.split(',').length) return found;
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    })
    .optional();
}

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;

/** A moment of a query, as wall-clock ms: those, or ISO 8601 with its zone. */
export const momentField = z
  .string()
  .max(40)
  .transform((text, context): number => {
    const ms = /^\d{1,15}$/.test(text) ? Number(text) : MOMENT.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(ms)) return ms;
    const message = 'must be milliseconds since 1970, or a moment such as 2026-01-31T08:00:00Z';
    context.issues.push({ code: 'custom', message, input: text });
    return z.NEVER;
  })
  .optional();

/** Who gives a command, as every body may say. */
export const authorSchema = z.object({ author: line(MAX_AUTHOR_CHARS).optional() });

/** A command as its body has it: what is to be done, and who says so. */
export interface CommandBody<T> {
  readonly body: T;
  readonly author: string | undefined;
}

/** Reads the body of a command; none at all is an empty object. Throws ERR_VMPULSE_ARGUMENT naming each wrong member. */
export async function readCommand<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  maxBytes: number,
): Promise<CommandBody<T>> {
  const text = await readText(request, maxBytes);
  const whole = text === '' ? {} : parseJson(text);
  if (whole === undefined) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'the body is no JSON');
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole))
    return { body: check(whole, schema), author: undefined };
  const { author: _, ...members } = { author: undefined, ...whole };
  const { author } = check(whole, authorSchema);
  return { body: check(members, schema), author };
}

/** Parameters after the `?`. Throws ERR_VMPULSE_ARGUMENT naming each wrong one. */
export function readQuery<T>(query: Readonly<Record<string, string>>, schema: z.ZodType<T>): T {
  const checked = schema.safeParse(query);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `?${path.join('.')}= ${message}`,
  );
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', problems.join('; '));
}

function check<T>(body: unknown, schema: z.ZodType<T>): T {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `the body does not fit: ${problems.join('; ')}`);
}

function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
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
