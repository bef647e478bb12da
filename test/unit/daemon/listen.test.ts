import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { closeHttpServer } from '../../../src/daemon/http-server.js';
import { listenLoopback, listenUnix } from '../../../src/daemon/listen.js';
import { testFolder } from '../../fixtures/folder.js';

function server(): Server {
  const made = createServer((_request, response) => response.end('here'));
  onTestFinished(() => closeHttpServer(made));
  return made;
}

function ask(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      response.once('end', () => resolve(text));
    }).once('error', reject);
  });
}

/** A socket that a killed process left. */
async function leaveSocket(path: string): Promise<void> {
  const script = `require('net').createServer().listen(process.argv[1], () => process.stdout.write('up'))`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('listenUnix', () => {
  it('makes the folder and a socket for owner and group, and takes it away at the end', async () => {
    const path = join(testFolder(), 'a', 'b', 'vmpulse.sock');
    const mine = server();
    await listenUnix(mine, path);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect(await ask(path)).toBe('here');
    await closeHttpServer(mine);
    await closeHttpServer(mine);
    expect(existsSync(path)).toBe(false);
  });

  it('replaces a socket that a killed process left', async () => {
    const path = join(testFolder(), 'vmpulse.sock');
    await leaveSocket(path);
    expect(statSync(path).isSocket()).toBe(true);
    await listenUnix(server(), path);
    expect(await ask(path)).toBe('here');
  });

  it('leaves a socket alone that somebody serves', async () => {
    const path = join(testFolder(), 'vmpulse.sock');
    await listenUnix(server(), path);
    await expect(listenUnix(server(), path)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ADDRESS_IN_USE',
      message: expect.stringContaining(path),
    });
    expect(await ask(path)).toBe('here');
  });

  it('leaves anything alone that is no socket', async () => {
    const path = join(testFolder(), 'vmpulse.sock');
    writeFileSync(path, 'precious');
    await expect(listenUnix(server(), path)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ADDRESS_IN_USE',
      message: expect.stringMatching(/no socket/),
    });
    expect(existsSync(path)).toBe(true);
  });

  it('says which path cannot be served, and the errno', async () => {
    const dir = testFolder();
    writeFileSync(join(dir, 'file'), '');
    await expect(listenUnix(server(), join(dir, 'file', 'x.sock'))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
      details: { errno: 'EEXIST' },
    });
    mkdirSync(join(dir, 'x'.repeat(200)));
    await expect(listenUnix(server(), join(dir, 'x'.repeat(200), 's'))).rejects.toMatchObject({
      code: 'ERR_VMPULSE_SYSCALL',
    });
  });
});

describe('listenLoopback', () => {
  it('serves on loopback and says when the port is taken', async () => {
    const first = server();
    await listenLoopback(first, { host: '127.0.0.1', port: 0 });
    const { port } = first.address() as AddressInfo;
    await expect(listenLoopback(server(), { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ADDRESS_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });

  it.each([
    '0.0.0.0',
    '192.0.2.1',
    '::',
    'localhost',
    '127.0.0.1.example.org',
    '',
  ])('refuses %s', async (host) => {
    await expect(listenLoopback(server(), { host, port: 0 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
  });
});
