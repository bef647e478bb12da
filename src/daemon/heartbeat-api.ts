import type { Server } from 'node:http';
import type { Context } from 'hono';
import { VmpulseError } from '../model/errors.js';
import type { RuntimeApi } from '../runtime/views.js';
import type { ApiEnv, Route } from './api.js';
import { heartbeatBody, readBodyOrNothing } from './api-bodies.js';

const BEARER = /^Bearer +([A-Za-z0-9_-]{1,128})$/i;
/** Connections of one address at once: a guest that floods the port does not silence the others. */
const MAX_CONNECTIONS_PER_ADDRESS = 8;

/** Where guests send their heartbeats, each with the token of its VM. */
export function heartbeatRoutes(runtime: RuntimeApi): Route[] {
  const handle = async (c: Context<ApiEnv>) => {
    const token = BEARER.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) {
      throw new VmpulseError(
        'ERR_VMPULSE_UNAUTHORIZED',
        "a heartbeat needs the header Authorization: Bearer with the VM's token",
      );
    }
    const beat = await readBodyOrNothing(c.env.incoming, heartbeatBody);
    const [namespace, name = ''] = [c.req.param('namespace'), c.req.param('name')];
    await runtime.receiveHeartbeat(namespace === undefined ? name : `${namespace}/${name}`, token, beat);
    return c.json({ received: true });
  };
  return [
    { method: 'POST', path: '/v1/vms/:name/heartbeat', handle },
    { method: 'POST', path: '/v1/vms/:namespace/:name/heartbeat', handle },
  ];
}

/** Cuts off who has too many connections already. */
export function limitPerAddress(server: Server): void {
  const counts = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    socket.once('close', () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
    if (count > MAX_CONNECTIONS_PER_ADDRESS) socket.destroy();
  });
}
