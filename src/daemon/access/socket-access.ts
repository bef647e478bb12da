import type { ApiConfig } from '../../config/index.js';
import { kernelMissing, peerCredentials, peerGroups } from '../../kernel/index.js';
import { lookUp } from '../../kernel/users.js';
import { VmpulseError } from '../../model/errors.js';
import type { Scope } from '../../model/scope.js';
import type { Identify } from './caller.js';
import { idOf, resolveGrants } from './grants.js';
import { identifySocketPeers, type Peer } from './socket-peers.js';

/** Who may open the daemon's socket, and what they may then do. */
export interface SocketAccess {
  readonly identify: Identify;
  /** Group that the socket is to belong to. */
  readonly gid: number;
  /** What of it does not work on this host, each for a person. */
  readonly problems: readonly string[];
}

/** Reads the configured users and groups from the host. Throws ERR_VMPULSE_CONFIG for a socket group that there is not. */
export async function socketAccess(config: ApiConfig): Promise<SocketAccess> {
  const ownUid = process.geteuid?.() ?? 0;
  const socketGid = await socketGroup(config);
  const grants = await resolveGrants(config, lookUp);
  const canSay = kernelMissing() === undefined;
  const scopeUnknown = scopeOfUnknown(config);
  const problems = grants.unknown.map((name) => `api.access names ${name}, whom this host does not know`);
  if (!canSay)
    problems.push(
      `without the kernel addon nobody can say who uses the socket: everyone who may open it has the scope ${scopeUnknown}`,
    );
  const peerOf = canSay ? readPeer : undefined;
  const identify = identifySocketPeers({ grants, ownUid, socketGid, lookUp, peerOf, scopeUnknown });
  return { identify, gid: socketGid, problems };
}

function readPeer(fd: number): Peer {
  return { ...peerCredentials(fd), groups: peerGroups(fd) };
}

/** Where the configuration lets in others than the daemon's own group, not everyone who comes in is one who may do all. */
function scopeOfUnknown({ socketGroup, access }: ApiConfig): Scope {
  const isShared = socketGroup !== undefined || Object.values(access).some((list) => list.length > 0);
  return isShared ? 'operate' : 'admin';
}

async function socketGroup({ socketGroup: group }: ApiConfig): Promise<number> {
  if (group === undefined) return process.getegid?.() ?? 0;
  const gid = await idOf('group', group, lookUp);
  if (gid !== undefined) return gid;
  throw new VmpulseError(
    'ERR_VMPULSE_CONFIG',
    `api.socketGroup: there is no group ${group} on this host; make it with: groupadd --system ${group}`,
  );
}
