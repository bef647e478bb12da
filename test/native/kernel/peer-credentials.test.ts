import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { peerCredentials, peerGroups } from '../../../src/kernel/index.js';
import { TemporaryFolder, thrownBy } from './support.js';

const OTHER = 65_533;
/** Connects to the socket named by its argument, until its end is closed. */
const CLIENT = `require('node:net').connect(process.argv[1]).resume()`;

/** The connection of another process with that user, as the server's end has it. */
async function connected(user: { readonly uid?: number; readonly gid?: number }) {
  const folder = new TemporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const path = folder.file('socket');
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  chmodSync(folder.path, 0o755);
  chmodSync(path, 0o777);
  const child = spawn(process.execPath, ['-e', CLIENT, path], { stdio: 'ignore', ...user });
  const [socket]: Socket[] = await once(server, 'connection');
  onTestFinished(() => {
    socket?.destroy();
    server.close();
    child.kill('SIGKILL');
  });
  return { fd: fdOf(socket), pid: child.pid };
}

function fdOf(socket: unknown): number {
  const fd: unknown = Object(Object(socket)._handle).fd;
  if (typeof fd !== 'number') throw new Error('the socket has no descriptor');
  return fd;
}

describe('the peer of a Unix socket', () => {
  it('is the process that connected', async () => {
    const { fd, pid } = await connected({});
    const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
    expect(peerCredentials(fd)).toEqual({ pid, uid, gid });
    const own = process.getgroups?.() ?? [];
    // Node counts the group of the process in.
    expect(own).toEqual(expect.arrayContaining([...peerGroups(fd)]));
  });

  it('is another user than this one', async (ctx) => {
    if (process.geteuid?.() !== 0) ctx.skip('only root can start a process of another user');
    const { fd, pid } = await connected({ uid: OTHER, gid: OTHER });
    expect(peerCredentials(fd)).toEqual({ pid, uid: OTHER, gid: OTHER });
    expect(peerGroups(fd)).not.toContain(0);
  });

  it('is refused for what is no such socket', () => {
    expect(thrownBy(() => peerCredentials(0x7fff_fff0))).toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
      details: { errno: 'EBADF', syscall: 'getsockopt(SO_PEERCRED)' },
    });
    expect(thrownBy(() => peerGroups(-1))).toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
  });
});
