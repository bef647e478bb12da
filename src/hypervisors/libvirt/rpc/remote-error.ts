import { type ErrorCode, isVmpulseError, VmpulseError } from '../../../model/errors.js';
import { plainText } from '../../../model/plain-text.js';
import { readDomain } from './domain.js';
import type { XdrReader } from './xdr.js';

const MAX_MESSAGE_CHARS = 1_000;

/** virErrorNumber of those that are told apart. */
const CODES: Readonly<Record<number, readonly [name: string, code: ErrorCode]>> = {
  3: ['no-support', 'ERR_VMPULSE_UNSUPPORTED'],
  42: ['no-domain', 'ERR_VMPULSE_VM_NOT_RUNNING'],
  45: ['auth-failed', 'ERR_VMPULSE_CHANNEL'],
  55: ['operation-invalid', 'ERR_VMPULSE_COMMAND'],
  68: ['operation-timeout', 'ERR_VMPULSE_TIMEOUT'],
  79: ['auth-cancelled', 'ERR_VMPULSE_CHANNEL'],
  80: ['auth-unavailable', 'ERR_VMPULSE_CHANNEL'],
  84: ['operation-unsupported', 'ERR_VMPULSE_UNSUPPORTED'],
  86: ['agent-unresponsive', 'ERR_VMPULSE_CHANNEL'],
  88: ['access-denied', 'ERR_VMPULSE_CHANNEL'],
  94: ['agent-unsynced', 'ERR_VMPULSE_CHANNEL'],
};

/** What libvirt answers in place of a result; `details.class` names what it is. */
export function readRemoteError(body: XdrReader, what: string): VmpulseError {
  const number = body.int();
  body.int();
  const message = body.optional((reader) => reader.string()) ?? 'no reason given';
  body.int();
  body.optional(readDomain);
  const [name, code] = CODES[number] ?? [`libvirt-${number}`, 'ERR_VMPULSE_COMMAND'];
  const text = `libvirt refuses ${what}: ${plainText(message, MAX_MESSAGE_CHARS)}`;
  return new VmpulseError(code, text, { details: { class: name } });
}

/** libvirt has answered, and did not do it; a connection that was lost, or a deadline, leaves that open. */
export function isRefusal(error: unknown): boolean {
  return isVmpulseError(error) && error.details.class !== undefined;
}
