import { z } from 'zod';
import type { EncodedRequest } from './session.js';

/** Largest request that is sent, bytes; something is left for what stands around the arguments. */
const MAX_ARGUMENT_BYTES = 1024 * 1024 - 256;
const COMMAND = /^[A-Za-z0-9._-]{1,128}$/;
const argumentsSchema = z.record(z.string(), z.unknown());

/** Checks a command and the JSON text of its arguments; undefined: they are not valid. */
export function encodeRequest(command: string, args: string | undefined): EncodedRequest | undefined {
  if (!COMMAND.test(command)) return undefined;
  if (args === undefined) return { execute: command };
  if (Buffer.byteLength(args) > MAX_ARGUMENT_BYTES) return undefined;
  try {
    const parsed = argumentsSchema.safeParse(JSON.parse(args));
    return parsed.success ? { execute: command, arguments: parsed.data } : undefined;
  } catch {
    return undefined;
  }
}

/** A request as it is sent. */
export function requestLine(request: object): Buffer {
  return Buffer.from(`${JSON.stringify(request)}\n`, 'utf8');
}
