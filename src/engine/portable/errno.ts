import type { Reason } from '../../model/reasons.js';

/** What errors of the peer or of the network mean, whenever they come. */
const PEER: ReadonlyMap<string, Reason> = new Map([
  ['ECONNREFUSED', 'connection-refused'],
  ['ECONNRESET', 'connection-reset'],
  ['ECONNABORTED', 'connection-reset'],
  ['EPIPE', 'connection-reset'],
  ['EHOSTUNREACH', 'host-unreachable'],
  ['EHOSTDOWN', 'host-unreachable'],
  ['ETIMEDOUT', 'connect-timeout'],
]);

const NO_LOCAL_ROUTE: readonly string[] = ['ENETUNREACH', 'ENETDOWN', 'EACCES', 'EPERM', 'EAFNOSUPPORT'];
const NOBODY_LISTENS: readonly string[] = ['ENOENT', 'ENOTDIR', 'ENOTSOCK', 'EPROTOTYPE'];
const OUR_RESOURCES: readonly string[] = ['EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM', 'EMFILE', 'ENFILE'];
const DENIED: readonly string[] = ['EACCES', 'EPERM'];

/** The reason of an error that `socket` or `connect` gave at once: many are our own trouble, not the peer's. */
export function reasonOfCall(code: string): Reason {
  return NO_LOCAL_ROUTE.includes(code) ? 'no-local-route' : (PEER.get(code) ?? 'prober-resources');
}

/** The same for a Unix socket: EAGAIN means that nobody accepts, ENOENT that nobody listens, EACCES is about us. */
export function reasonOfUnixCall(code: string): Reason {
  if (code === 'EAGAIN') return 'connect-timeout';
  return NOBODY_LISTENS.includes(code) ? 'connection-refused' : (PEER.get(code) ?? 'prober-resources');
}

/** The reason of an error that came later, so from the network or the peer. */
export function reasonOfConnection(code: string): Reason {
  if (code === 'ENETUNREACH') return 'network-unreachable';
  if (code === 'ENETDOWN') return 'no-local-route';
  if (OUR_RESOURCES.includes(code)) return 'prober-resources';
  return DENIED.includes(code) ? 'connection-refused' : (PEER.get(code) ?? 'connection-reset');
}
