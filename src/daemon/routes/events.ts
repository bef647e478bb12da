import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { may } from '../access/caller.js';
import { vmQuery } from '../api-bodies.js';
import { type ApiEnv, type ApiOptions, getText, type Route } from '../api-route.js';
import { resumeAfter, streamEvents } from '../event-stream.js';

export const MAX_STREAMS = 64;
const SCOPE = 'read';

/** Everything that happens, as it happens. */
export function eventRoutes({ runtime, run, signal, logger, identify }: ApiOptions): Route[] {
  let streams = 0;
  const listen = (c: Context<ApiEnv>, name: string | undefined): Response => {
    if (streams >= MAX_STREAMS) {
      throw new VmpulseError('ERR_VMPULSE_CLOSED', `${MAX_STREAMS} clients listen already; end one of them`);
    }
    const vm = name === undefined ? undefined : runtime.resolveVm(name);
    const afterId = resumeAfter(c.req.header('last-event-id'), run);
    streams += 1;
    // A token may be revoked or expire, and a certificate lose its authority, while its bearer listens.
    const mayListen = () =>
      identify(c.env.incoming).then(
        (caller) => may(caller, SCOPE),
        () => false,
      );
    streamEvents(c.env.outgoing, { runtime, run, afterId, vm, signal, mayListen })
      .catch((error: unknown) => logger.warn({ error: errorMessage(error) }, 'an event stream broke off'))
      .finally(() => {
        streams -= 1;
      });
    return RESPONSE_ALREADY_SENT;
  };
  return [
    getText({
      path: '/v1/events',
      scope: SCOPE,
      summary: 'Events as they happen (server-sent events).',
      query: vmQuery,
      headers: { 'last-event-id': 'The last `id:` seen: what came after it is sent first.' },
      mediaType: 'text/event-stream',
      deadlineMs: null,
      handle: (c, { vm }) => listen(c, vm),
    }),
  ];
}
