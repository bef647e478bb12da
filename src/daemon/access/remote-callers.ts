import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ApiListen } from '../../config/index.js';
import { VmpulseError } from '../../model/errors.js';
import type { Caller, Identify } from './caller.js';
import { limitError, WRONG_TOKENS } from './limits.js';
import { RateLimit } from './rate-limit.js';

const BEARER = /^Bearer +(\S{1,256})$/i;
const API_KEY = /^\S{1,256}$/;

export interface RemoteCallersOptions {
  readonly callerOf: (token: string) => Promise<Caller | undefined>;
  /** Who may come by certificate, as it is now. */
  readonly clients: () => ApiListen['clients'];
  /** Whether the authorities of now have looked at the certificate of a connection. */
  readonly hasVerified: (socket: Socket) => boolean;
}

/** Identifies who comes by TLS: by a token, else by the certificate. */
export function identifyRemote({ callerOf, clients, hasVerified }: RemoteCallersOptions): Identify {
  const failures = new RateLimit(WRONG_TOKENS);
  return async (request) => {
    const token = tokenOf(request);
    const byCertificate = () => (hasVerified(request.socket) ? certified(request, clients()) : undefined);
    const caller = token === undefined ? byCertificate() : await callerOf(token);
    if (caller !== undefined) return caller;
    const waitS = failures.take(request.socket.remoteAddress ?? '');
    if (waitS > 0) throw limitError('too many requests of this address had no token that counts', waitS);
    throw new VmpulseError(
      'ERR_VMPULSE_UNAUTHORIZED',
      token === undefined
        ? 'a token is needed: Authorization: Bearer, or X-API-Key; vmpulse token create makes one on the host'
        : 'the token does not count: it is not known, was revoked, or has expired',
    );
  };
}

function tokenOf({ headers }: IncomingMessage): string | undefined {
  const { authorization, 'x-api-key': key } = headers;
  if (authorization !== undefined) return BEARER.exec(authorization)?.[1] ?? '';
  return typeof key === 'string' ? (API_KEY.exec(key)?.[0] ?? '') : undefined;
}

/** A client whose certificate one of our authorities has signed; what no list names may nothing. */
function certified({ socket }: IncomingMessage, clients: ApiListen['clients']): Caller | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const commonName = socket.getPeerCertificate().subject?.CN;
  if (commonName === undefined) return undefined;
  const scope = clients.find((client) => client.commonName === commonName)?.scope ?? null;
  return { identity: `certificate:${commonName}`, scope };
}
