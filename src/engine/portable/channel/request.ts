import { z } from 'zod';
import type { ChannelOptions } from '../../probe-engine.js';
import type { EncodedRequest } from './session.js';

/** Largest request that is sent, bytes; something is left for what stands around the arguments. */
const MAX_ARGUMENT_BYTES = 1024 * 1024 - 256;
const COMMAND = /^[A-Za-z0-9._-]{1,128}$/;
const REST_COMMAND = /^(?:GET|PUT|PATCH|POST|DELETE) \/[!-"$-~]{0,1023}$/;
const argumentsSchema = z.record(z.string(), z.unknown());

/** Checks a command and the JSON text of its arguments; undefined: they are not valid. */
export function encodeRequest(
  protocol: ChannelOptions['protocol'],
  command: string,
  args: string | undefined,
): EncodedRequest | undefined {
  if (!(isRest(protocol) ? REST_COMMAND : COMMAND).test(command)) return undefined;
  if (args === undefined) return { execute: command };
  if (Buffer.byteLength(args) > MAX_ARGUMENT_BYTES) return undefined;
  try {
    const parsed = argumentsSchema.safeParse(JSON.parse(args));
    return parsed.success ? { execute: command, arguments: parsed.data } : undefined;
  } catch {
    return undefined;
  }
}

/** A REST API: it greets nobody and serves several clients. */
export function isRest(protocol: ChannelOptions['protocol']): boolean {
  return protocol === 'cloud-hypervisor' || protocol === 'firecracker';
}

/** A request as it is sent to a monitor or agent. */
export function requestLine(request: object): Buffer {
  return Buffer.from(`${JSON.stringify(request)}\n`, 'utf8');
}
