import { VmpulseError } from '../../model/errors.js';
import type { Caller, Identify } from './caller.js';
import { RateLimit } from './rate-limit.js';

/** What one caller may ask. */
export const REQUESTS = { burst: 200, perSecond: 100 };
/** Wrong tokens of one address: after those it hears only that there were too many. */
export const WRONG_TOKENS = { burst: 10, perSecond: 1 / 6 };

/** Identifies, and lets each caller ask only so often; those that `exempt` names are not counted. */
export function limitRequests(identify: Identify, exempt: (caller: Caller) => boolean): Identify {
  const limit = new RateLimit(REQUESTS);
  return async (request) => {
    const caller = await identify(request);
    const waitS = exempt(caller) ? 0 : limit.take(caller.identity ?? '');
    if (waitS > 0)
      throw limitError(`${caller.identity} asks more than ${REQUESTS.perSecond} times a second`, waitS);
    return caller;
  };
}

export function limitError(what: string, retryAfterS: number): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_LIMIT', `${what}; try again in ${retryAfterS} s`, {
    details: { retryAfterS },
  });
}
