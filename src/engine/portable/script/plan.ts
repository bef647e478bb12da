import type { ExchangeScript, ExchangeStep } from '../../../model/probe.js';
import { argumentError } from '../argument.js';
import { isServerName } from '../stream/server-name.js';
import type { TlsClient } from '../stream/tls-client.js';
import { escapeBytes } from '../text.js';
import { Pattern } from './pattern.js';
import { PatternError } from './regex-parser.js';

const MAX_STEPS = 32;
const MAX_SEND_BYTES = 4 * 1024;
/** Bytes that are read in all, where the script does not say. */
const DEFAULT_MAX_BYTES = 10 * 1024;
/** Largest `maxBytes`. */
const MOST_BYTES = 1024 * 1024;
/** Bytes of a text that a message shows. */
const SHOWN_BYTES = 64;

/** One step that is ready to run. */
export type Act =
  | { readonly type: 'send'; readonly bytes: Buffer }
  | { readonly type: 'expect'; readonly pattern: Pattern }
  | { readonly type: 'start-tls' };

/** How a script is encrypted. */
interface ScriptTls {
  readonly client: TlsClient;
  /** Undefined: the host that is connected to. */
  readonly serverName: string | undefined;
  readonly certificateExpiresWithinDays: number | undefined;
  /** It begins with the connection. */
  readonly isFirst: boolean;
}

/** A checked script. Everything but the host; targets that say the same share one. */
export class ScriptPlan {
  readonly acts: readonly Act[];
  readonly tls: ScriptTls | undefined;
  readonly maxBytes: number;

  /** Throws ERR_VMPULSE_ARGUMENT naming the field. */
  constructor({ steps, tls, maxBytes = DEFAULT_MAX_BYTES }: ExchangeScript, client: TlsClient) {
    if (maxBytes < 1 || maxBytes > MOST_BYTES) refuse('maxBytes', `must be 1 to ${MOST_BYTES}`);
    if (steps.length > MAX_STEPS) refuse('steps', `are more than ${MAX_STEPS}`);
    const upgrades = steps.filter((step) => 'startTls' in step).length;
    if (upgrades > 1) refuse('steps', 'start TLS more than once');
    if (upgrades === 1 && tls === undefined) refuse('steps', 'start TLS, but no TLS settings came along');
    const last = steps.at(-1);
    if (last === undefined && tls === undefined) refuse('steps', 'are missing');
    if (last !== undefined && 'send' in last)
      refuse('steps', 'must not end with a send, which nothing can confirm');
    const name = tls?.serverName;
    if (name !== undefined && !isServerName(name)) refuse('tls.serverName', 'is not a host');
    this.acts = steps.map(compile);
    this.maxBytes = maxBytes;
    this.tls = tls && {
      client,
      serverName: name,
      certificateExpiresWithinDays: tls.certificateExpiresWithinDays,
      isFirst: upgrades === 0,
    };
  }
}

/** The host that TLS asks for where the script names none. Throws ERR_VMPULSE_ARGUMENT. */
export function checkHost(plan: ScriptPlan, host: string): string {
  if (plan.tls !== undefined && plan.tls.serverName === undefined && !isServerName(host))
    refuse('host', 'is not a name that TLS can ask for');
  return host;
}

function refuse(field: string, message: string): never {
  throw argumentError(`exchange.${field}: ${message}`);
}

function compile(step: ExchangeStep, index: number): Act {
  try {
    if ('startTls' in step) return { type: 'start-tls' };
    if ('expectRegex' in step) return { type: 'expect', pattern: Pattern.regex(step.expectRegex) };
    if ('expect' in step) {
      const text = fromHex(step.expect);
      return { type: 'expect', pattern: Pattern.text(text, `"${escapeBytes(text, SHOWN_BYTES)}"`) };
    }
    const bytes = fromHex(step.send);
    if (bytes.length === 0 || bytes.length > MAX_SEND_BYTES)
      throw new PatternError(`must send 1 to ${MAX_SEND_BYTES} bytes`);
    return { type: 'send', bytes };
  } catch (error) {
    if (error instanceof PatternError) refuse(`steps[${index}]`, error.message);
    throw error;
  }
}

function fromHex(text: string): Buffer {
  if (!/^(?:[0-9A-Fa-f]{2})*$/.test(text)) throw new PatternError('is not bytes in hex');
  return Buffer.from(text, 'hex');
}
