import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { PeerCredentials } from '../../kernel/index.js';
import type { Lookup } from '../../kernel/users.js';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { Scope } from '../../model/scope.js';
import type { Caller, Identify } from './caller.js';
import { type Grants, grantedTo } from './grants.js';

const MAX_NAMES = 1024;

/** What Node keeps of a socket's descriptor; not documented, and the same since 0.10. */
const socketSchema = z.object({ _handle: z.object({ fd: z.int().min(0) }) });

export interface SocketPeersOptions {
  readonly grants: Grants;
  /** The daemon's own user. */
  readonly ownUid: number;
  /** The group that may open the socket. */
  readonly socketGid: number;
  readonly lookUp: Lookup;
  /** Who connected, by the descriptor of this end; undefined: this host cannot say. */
  readonly peerOf: ((fd: number) => Peer) | undefined;
  /** Of everyone, where nobody can say who asks. */
  readonly scopeUnknown: Scope;
}

export interface Peer extends Pick<PeerCredentials, 'uid' | 'gid'> {
  /** Its supplementary groups. */
  readonly groups: readonly number[];
}

/**
 * Identifies who is at the other end of the daemon's Unix socket, as the kernel says. Root and the daemon's own user may
 * do everything; members of the socket's group whom no list of the configuration names may operate, or only read while a
 * name in those lists is not known.
 */
export function identifySocketPeers(options: SocketPeersOptions): Identify {
  const { grants, ownUid, socketGid, lookUp, peerOf, scopeUnknown } = options;
  // A connection has one peer for all its requests.
  const callers = new WeakMap<object, Promise<Caller>>();
  const names = new Map<number, Promise<string>>();

  const nameOf = (uid: number) => {
    const known = names.get(uid);
    if (known !== undefined) return known;
    if (names.size >= MAX_NAMES) names.clear();
    const name = lookUp('passwd', String(uid)).then((entry) => {
      // A directory service that was too slow may know it next time.
      if (entry === undefined) names.delete(uid);
      return entry?.name ?? 'uid';
    });
    names.set(uid, name);
    return name;
  };

  const identify = async (socket: object): Promise<Caller> => {
    if (peerOf === undefined) return { identity: null, scope: scopeUnknown };
    const { uid, gid, groups } = peerOf(descriptorOf(socket));
    const gids = [gid, ...groups];
    // A name that could not be looked up may be that of whom a list was to hold to less.
    const ofMembers = grants.unknown.length === 0 ? 'operate' : 'read';
    const usual = gids.includes(socketGid) ? ofMembers : null;
    const isOwner = uid === 0 || uid === ownUid;
    const scope = isOwner ? 'admin' : (grantedTo(grants, uid, gids) ?? usual);
    return { identity: `${await nameOf(uid)}@${uid}`, scope };
  };

  return ({ socket }: IncomingMessage) => {
    const known = callers.get(socket);
    if (known !== undefined) return known;
    const caller = identify(socket).catch((error: unknown) => {
      throw new VmpulseError('ERR_VMPULSE_UNAUTHORIZED', `it is not known who asks: ${errorMessage(error)}`);
    });
    callers.set(socket, caller);
    return caller;
  };
}

function descriptorOf(socket: object): number {
  const found = socketSchema.safeParse(socket);
  if (found.success) return found.data._handle.fd;
  throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the connection has ended');
}
