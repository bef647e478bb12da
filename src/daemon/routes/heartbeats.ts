import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { readBodyOrNothing } from '../api-bodies.js';
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
    post('/v1/vms/:vm/heartbeat', async (c) => {
      const token = BEARER.exec(c.req.header('authorization') ?? '')?.[1];
      if (token === undefined) {
        throw new VmpulseError(
          'ERR_VMPULSE_UNAUTHORIZED',
          "a heartbeat needs the header Authorization: Bearer with the VM's token",
        );
      }
      const beat = await readBodyOrNothing(c.env.incoming, heartbeatBody);
      await runtime.receiveHeartbeat(nameInPath(c), token, beat);
      return c.json({ received: true });
    }),
  );
}
