import { describe, expect, it } from 'vitest';
import { authorOf, demand } from '../../../src/daemon/access/caller.js';
import { grantedTo, resolveGrants } from '../../../src/daemon/access/grants.js';
import { identifySocketPeers, type SocketPeersOptions } from '../../../src/daemon/access/socket-peers.js';
import type { Lookup } from '../../../src/kernel/users.js';
import { serve } from './helpers.js';

const DATABASE = {
  passwd: new Map([
    ['ann', 1000],
    ['bob', 1001],
  ]),
  group: new Map([
    ['wheel', 10],
    ['ops', 20],
  ]),
};

const lookUp: Lookup = async (database, key) => {
  const found = [...DATABASE[database]].find(([name, id]) => name === key || String(id) === key);
  return found && { name: found[0], id: found[1] };
};

const access = { read: ['bob', '@ops', 'carl'], operate: ['@ops'], admin: ['@wheel', '1002', '@none'] };

/** The caller on a connection with that peer. */
async function identified(peer: { uid: number; gid: number; groups?: number[] }, more = {}) {
  const options: SocketPeersOptions = {
    grants: await resolveGrants({ access }, lookUp),
    ownUid: 200,
    socketGid: 30,
    lookUp,
    peerOf: () => ({ groups: [], ...peer }),
    scopeUnknown: 'operate',
    ...more,
  };
  const socket = { _handle: { fd: 7 } };
  return identifySocketPeers(options)(Object({ socket }));
}

describe('who may do what on the socket', () => {
  it('is resolved from names and numbers, and says whom the host does not know', async () => {
    const grants = await resolveGrants({ access }, lookUp);
    expect([...grants.users]).toEqual([
      [1001, 'read'],
      [1002, 'admin'],
    ]);
    expect([...grants.groups]).toEqual([
      [20, 'operate'],
      [10, 'admin'],
    ]);
    expect(grants.unknown).toEqual(['carl', '@none']);
    expect(grantedTo(grants, 1001, [20])).toBe('operate');
    expect(grantedTo(grants, 1, [2])).toBeUndefined();
  });

  it.each([
    ['root', { uid: 0, gid: 0 }, { identity: 'uid@0', scope: 'admin' }],
    ["the daemon's own user", { uid: 200, gid: 200 }, { identity: 'uid@200', scope: 'admin' }],
    ['a user that is named', { uid: 1001, gid: 30 }, { identity: 'bob@1001', scope: 'read' }],
    [
      'a supplementary group that is named',
      { uid: 1000, gid: 1, groups: [10] },
      { identity: 'ann@1000', scope: 'admin' },
    ],
    [
      'a member of the socket group, while a name in the lists is not known',
      { uid: 5, gid: 5, groups: [30] },
      { identity: 'uid@5', scope: 'read' },
    ],
    ['anybody else', { uid: 5, gid: 5, groups: [6] }, { identity: 'uid@5', scope: null }],
  ])('%s', async (_who, peer, expected) => {
    expect(await identified(peer)).toEqual(expected);
  });

  it('is to operate for members of the socket group, where all names are known', async () => {
    const known = { read: ['bob'], operate: [], admin: ['@wheel'] };
    const grants = await resolveGrants({ access: known }, lookUp);
    expect(await identified({ uid: 5, gid: 5, groups: [30] }, { grants })).toMatchObject({
      scope: 'operate',
    });
    expect(await identified({ uid: 1001, gid: 30 }, { grants })).toMatchObject({ scope: 'read' });
  });

  it('is the same for everyone where nobody can say who asks', async () => {
    expect(await identified({ uid: 0, gid: 0 }, { peerOf: undefined })).toEqual({
      identity: null,
      scope: 'operate',
    });
  });

  it('is nothing on a connection whose peer cannot be read', async () => {
    const peerOf = () => {
      throw new Error('EBADF');
    };
    await expect(identified({ uid: 0, gid: 0 }, { peerOf })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_UNAUTHORIZED',
    });
  });
});

describe('a caller', () => {
  it('needs the scope of what it asks for, or a wider one', () => {
    const operator = { identity: 'ann@1000', scope: 'operate' } as const;
    expect(() => demand(operator, 'read', 'x')).not.toThrow();
    expect(() => demand(operator, 'operate', 'x')).not.toThrow();
    expect(() => demand(operator, 'admin', 'POST /v1/apply')).toThrow(
      'POST /v1/apply needs the scope admin, and ann@1000 has operate',
    );
    expect(() => demand({ identity: null, scope: null }, 'read', 'x')).toThrow('has none');
  });

  it('is the author of what it does, whoever it says it is', () => {
    const ann = { identity: 'ann@1000', scope: 'read' } as const;
    expect(authorOf(ann, undefined)).toBe('ann@1000');
    expect(authorOf(ann, 'ann@1000')).toBe('ann@1000');
    expect(authorOf(ann, 'root@0')).toBe('ann@1000 (says root@0)');
    const nobody = { identity: null, scope: 'admin' } as const;
    expect(authorOf(nobody, 'ann@1000')).toBe('ann@1000 (as told)');
    expect(authorOf(nobody, undefined)).toBe('unknown');
  });

  it.each([
    ['read', '/v1/vms/lab/db/release'],
    ['read', '/v1/recovery/hold'],
    ['operate', '/v1/vms/lab/db/exec'],
    ['operate', '/v1/vms/lab/db/console'],
    ['operate', '/v1/apply'],
    ['operate', '/v1/plans'],
    ['operate', '/v1/reload'],
    [null, '/v1/recovery/hold'],
  ] as const)('with %s is refused POST %s before its body is read, and nothing happens', async (scope, path) => {
    const { post, runtime } = await serve({ identify: async () => ({ identity: 'eve@1', scope }) });
    expect(await post(path, { junk: true })).toMatchObject({
      status: 403,
      json: { error: { code: 'ERR_VMPULSE_FORBIDDEN' } },
    });
    expect(runtime.calls).toEqual([]);
  });

  it('may read with read, and nothing with nothing', async () => {
    const reader = await serve({ identify: async () => ({ identity: 'eve@1', scope: 'read' }) });
    expect(await reader.get('/v1/status')).toMatchObject({ status: 200 });
    const nobody = await serve({ identify: async () => ({ identity: 'eve@1', scope: null }) });
    for (const path of ['/v1/status', '/v1/events', '/metrics', '/v1/journal'])
      expect(await nobody.get(path)).toMatchObject({ status: 403 });
  });
});
