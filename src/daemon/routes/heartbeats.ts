import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { receivedAnswer } from '../answers/guests.js';
import { type ApiOptions, aboutVm, nameInPath, post, type Route } from '../api-route.js';

const BEARER = /^Bearer +([A-Za-z0-9_-]{1,128})$/i;

/** May be left out. */
const heartbeatBody = z.strictObject({
  probe: z.string().min(1).max(63).optional(),
  status: z.enum(['ok', 'warning', 'critical']).optional(),
  message: z.string().max(4096).optional(),
});

/** Where guests send their heartbeats, each with the token of its VM. */
export function heartbeatRoutes({ runtime }: Pick<ApiOptions, 'runtime'>): Route[] {
  return aboutVm(
    post({
      path: '/v1/vms/:vm/heartbeat',
      scope: null,
      summary: 'Takes a heartbeat of a VM.',
      headers: { authorization: "Bearer and the VM's token for heartbeats." },
      body: heartbeatBody,
      answer: receivedAnswer,
      handle: async (request) => {
        const token = BEARER.exec(request.header('authorization') ?? '')?.[1];
        if (token === undefined) {
          throw new VmpulseError(
            'ERR_VMPULSE_UNAUTHORIZED',
            "a heartbeat needs the header Authorization: Bearer with the VM's token",
          );
        }
        await runtime.receiveHeartbeat(nameInPath(request), token, request.body);
        return { received: true as const };
      },
    }),
  );
}
