import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import type { GuestAccess } from '../../model/guest.js';
import type { Outcome } from '../../model/outcome.js';
import { plainText } from '../../model/plain-text.js';
import { isInconclusive, isReason } from '../../model/reasons.js';
import type { Finding } from '../external.js';

const MAX_MESSAGE_CHARS = 300;
/** What an agent says of a command that its configuration forbids, or that it has not. */
const NOT_OFFERED = new Set(['CommandNotAllowed', 'CommandNotFound']);

/** The guest of a probe. Throws ERR_VMPULSE_ARGUMENT where nobody can be asked. */
export function neededGuest(guest: GuestAccess | undefined): GuestAccess {
  if (guest !== undefined) return guest;
  throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'this VM has no guest agent to ask; add one (guestAgent)');
}

/**
 * What the failure of a question says. An agent that may not, or cannot, do what is asked says nothing about its guest:
 * that is thrown, and inconclusive.
 */
export function findingOf(error: unknown): Finding {
  if (isVmpulseError(error, 'ERR_VMPULSE_COMMAND') && !NOT_OFFERED.has(String(error.details.class))) {
    const message = plainText(error.message, MAX_MESSAGE_CHARS);
    return { outcome: { result: 'failed', reason: 'agent-error' }, message };
  }
  if (isVmpulseError(error, 'ERR_VMPULSE_CHANNEL')) {
    const message = plainText(error.message, MAX_MESSAGE_CHARS);
    return { outcome: channelOutcome(error.message), message };
  }
  if (isVmpulseError(error, 'ERR_VMPULSE_TIMEOUT')) {
    const message = plainText(error.message, MAX_MESSAGE_CHARS);
    return { outcome: { result: 'failed', reason: 'response-timeout' }, message };
  }
  throw error;
}

/** A channel says why it was lost before the colon; what has no such word is an answer that made no sense. */
function channelOutcome(message: string): Outcome {
  const [, reason = ''] = /^([a-z-]+): /.exec(message) ?? [];
  if (!isReason(reason) || reason === 'protocol-error' || reason === 'response-too-large')
    return { result: 'failed', reason: 'agent-error' };
  if (isInconclusive(reason)) return { result: 'inconclusive', reason };
  return { result: 'failed', reason: 'agent-not-connected' };
}
