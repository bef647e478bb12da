import { z } from 'zod';
import { isVmpulseError, VmpulseError } from '../../model/errors.js';
import { limitError, REQUESTS, WRONG_TOKENS } from '../access/limits.js';
import { RateLimit } from '../access/rate-limit.js';
import { receivedAnswer } from '../answers/guests.js';
import { type ApiOptions, aboutVm, nameInPath, post, type Route } from '../api-route.js';

const BEARER = /^Bearer +([A-Za-z0-9_-]{1,128})$/i;

/** May be left out. */
const heartbeatBody = z.strictObject({
  probe: z.string().min(1).max(63).optional(),
  status: z.enum(['ok', 'warning', 'critical']).optional(),
  message: z.string().max(4096).optional(),
});

/** A body of that and some room. */
const MAX_BYTES = 16 * 1024;

/**
 * Where guests send their heartbeats, each with the token of its VM. Only who has the token can use up its share, and a
 * wrong one is counted once it was found wrong: nobody silences another guest, of the same address neither.
 */
export function heartbeatRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  const beats = new RateLimit(REQUESTS);
  const wrong = new RateLimit(WRONG_TOKENS);
  const refuse = (peer: string, why: unknown): never => {
    const waitS = wrong.take(peer);
    if (waitS > 0) throw limitError('too many heartbeats of this address had no token that counts', waitS);
    throw why;
  };
  return aboutVm(
    post({
      path: '/v1/vms/:vm/heartbeat',
      scope: null,
      summary: 'Takes a heartbeat of a VM.',
      headers: { authorization: "Bearer and the VM's token for heartbeats." },
      body: heartbeatBody,
      maxBodyBytes: MAX_BYTES,
      answer: receivedAnswer,
      handle: async (request) => {
        const token = BEARER.exec(request.header('authorization') ?? '')?.[1];
        if (token === undefined) return refuse(request.peer, noToken());
        const waitS = beats.take(token);
        if (waitS > 0) throw limitError('this VM sends too many heartbeats', waitS);
        try {
          await runtime.receiveHeartbeat(nameInPath(request), token, request.body);
        } catch (error) {
          if (!isVmpulseError(error, 'ERR_VMPULSE_UNAUTHORIZED')) throw error;
          refuse(request.peer, error);
        }
        return { received: true as const };
      },
    }),
  );
}

function noToken(): VmpulseError {
  return new VmpulseError(
    'ERR_VMPULSE_UNAUTHORIZED',
    "a heartbeat needs the header Authorization: Bearer with the VM's token",
  );
}
