import { copyFileSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Client } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ApiListen } from '../../../src/config/index.js';
import type { Identify } from '../../../src/daemon/access/caller.js';
import { TokenStore } from '../../../src/daemon/access/token-store.js';
import { createApi } from '../../../src/daemon/api.js';
import { RemoteApi } from '../../../src/daemon/remote-api.js';
import { silentLogger } from '../../../src/model/logger.js';
import { testFolder } from '../../fixtures/folder.js';
import { freePort } from '../../fixtures/ports.js';
import { FakeLifecycle } from './fake-lifecycle.js';
import { noNotifier } from './fake-notifier.js';
import { FakeRuntime } from './fake-runtime.js';
import { FakeStore } from './fake-store.js';

const CERTS = fileURLToPath(new URL('../../fakes/certs', import.meta.url));
const pem = (name: string) => join(CERTS, `${name}.pem`);
const ca = readFileSync(pem('ca'));
/** Its own authority, and so a client certificate that has one. */
const clientTls = { cert: readFileSync(pem('self-signed')), key: readFileSync(pem('self-signed.key')) };
const COMMON_NAME = 'vmpulse zoo self-signed';

/** The API by TLS on a free port, over a fake runtime, and files that can be changed. */
async function serveRemote(clients: { commonName: string; scope: 'read' | 'operate' | 'admin' }[] = []) {
  const dir = testFolder();
  const [certificate, key] = [join(dir, 'tls.pem'), join(dir, 'tls.key')];
  const use = (name: string) => {
    copyFileSync(pem(name), certificate);
    copyFileSync(pem(`${name}.key`), key);
  };
  use('good');
  let nowMs = 1_000_000;
  const store = new FakeStore();
  const tokens = new TokenStore(store, () => nowMs);
  const runtime = new FakeRuntime();
  const createApp = (identify: Identify) =>
    createApi({
      runtime,
      lifecycle: new FakeLifecycle(),
      notifier: noNotifier,
      tokens,
      reload: () => Promise.reject(new Error('not asked for')),
      logger: silentLogger,
      identify,
      isReady: () => true,
      run: 1,
      signal: new AbortController().signal,
    });
  const remote = new RemoteApi({ createApp, callerOf: (token) => tokens.callerOf(token) });
  const configure = async (listen: ApiListen | undefined) => {
    const access = { read: [], operate: [], admin: [] };
    const prepared = await remote.prepare({ api: { access, ...(listen === undefined ? {} : { listen }) } });
    await prepared.commit();
  };
  const files = { host: '127.0.0.1', port: 0, certificate, key, clientCa: pem('self-signed'), clients };
  await configure(files);
  onTestFinished(() => remote.close());
  const { port } = remote.server?.address() as AddressInfo;
  const ask = async (
    path: string,
    headers: Record<string, string> = {},
    { body, tls = {}, at = port }: { body?: object; tls?: object; at?: number } = {},
  ) => {
    const client = new Client(`https://127.0.0.1:${at}`, { connect: { ca, ...tls } });
    try {
      const method = body === undefined ? 'GET' : 'POST';
      const answer = await client.request({ method, path, headers, body: JSON.stringify(body) ?? null });
      const json: unknown = await answer.body.json();
      return { status: answer.statusCode, headers: answer.headers, json };
    } finally {
      await client.close();
    }
  };
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { ask, tokens, store, runtime, remote, port, use, advance, files, configure };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const make = { forMs: null, author: 'root@0' };

describe('the API by TCP', () => {
  it('takes tokens with their scopes, in either header, and records whose they are', async () => {
    const { ask, tokens, runtime } = await serveRemote();
    const { token: reader } = await tokens.create({ ...make, name: 'grafana', scope: 'read' });
    const { token: operator } = await tokens.create({ ...make, name: 'ci', scope: 'operate' });
    expect(await ask('/v1/status', bearer(reader))).toMatchObject({ status: 200 });
    expect(await ask('/v1/status', { 'x-api-key': reader })).toMatchObject({ status: 200 });
    const body = { reason: 'r', author: 'ann' };
    expect(await ask('/v1/recovery/hold', bearer(reader), { body })).toMatchObject({
      status: 403,
      json: { error: { message: expect.stringContaining('token:grafana has read') } },
    });
    expect(await ask('/v1/recovery/hold', bearer(operator), { body })).toMatchObject({ status: 200 });
    expect(await ask('/v1/tokens', bearer(operator))).toMatchObject({ status: 403 });
    expect(runtime.calls).toEqual([
      ['hold', { vm: null, reason: 'r', author: 'token:ci (says ann)', forMs: null }],
    ]);
  });

  it('takes nobody without a token, with a wrong one, or with one that was revoked or has expired', async () => {
    const { ask, tokens, advance } = await serveRemote();
    const { token: short } = await tokens.create({ ...make, name: 'short', scope: 'read', forMs: 1000 });
    const { token: gone } = await tokens.create({ ...make, name: 'gone', scope: 'read' });
    await tokens.revoke('gone', 'root@0');
    expect(await ask('/v1/status', bearer(short))).toMatchObject({ status: 200 });
    advance(1001);
    const refused = { status: 401, headers: { 'www-authenticate': 'Bearer' } };
    const code = { json: { error: { code: 'ERR_VMPULSE_UNAUTHORIZED' } } };
    for (const headers of [
      {},
      bearer(short),
      bearer(gone),
      bearer(`${gone}x`),
      { authorization: 'Basic eDp5' },
    ])
      expect(await ask('/v1/status', headers)).toMatchObject({ ...refused, ...code });
  });

  it('cuts off who listens to events with a token that is revoked meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { tokens, port, runtime } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const client = new Client(`https://127.0.0.1:${port}`, { connect: { ca } });
    onTestFinished(() => client.destroy());
    const { body } = await client.request({ method: 'GET', path: '/v1/events', headers: bearer(token) });
    let text = '';
    const ended = new Promise<unknown>((resolve) => body.once('error', resolve).once('end', resolve));
    body.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    await vi.waitFor(() => expect(runtime.listeners).toBe(1), 10_000);
    await vi.advanceTimersByTimeAsync(15_000);
    await vi.waitFor(() => expect(text).toContain(':\n\n'), 10_000);
    await tokens.revoke('ci', 'root@0');
    await vi.advanceTimersByTimeAsync(15_000);
    await ended;
    await vi.waitFor(() => expect(runtime.listeners).toBe(0), 10_000);
  });

  it('answers guesses less and less, and those with a right token none the less', async () => {
    const { ask, tokens } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const statuses: number[] = [];
    for (let i = 0; i < 14; i++) statuses.push((await ask('/v1/status', bearer(`vmp_guess${i}`))).status);
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    const last = await ask('/v1/status', bearer('vmp_guess'));
    expect(last).toMatchObject({ status: 429, json: { error: { code: 'ERR_VMPULSE_LIMIT' } } });
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect(await ask('/v1/status', bearer(token))).toMatchObject({ status: 200 });
  });

  it('knows clients by certificates that its authority has signed, and lets no other browser in', async () => {
    const known = await serveRemote([{ commonName: COMMON_NAME, scope: 'operate' }]);
    expect(await known.ask('/v1/status', {}, { tls: clientTls })).toMatchObject({ status: 200 });
    const body = { reason: 'r' };
    expect(await known.ask('/v1/recovery/hold', {}, { tls: clientTls, body })).toMatchObject({ status: 200 });
    expect(known.runtime.calls).toMatchObject([['hold', { author: `certificate:${COMMON_NAME}` }]]);
    // Signed by somebody else.
    const foreign = { cert: readFileSync(pem('good')), key: readFileSync(pem('good.key')) };
    expect(await known.ask('/v1/status', {}, { tls: foreign })).toMatchObject({ status: 401 });
    const unknown = await serveRemote([{ commonName: 'somebody else', scope: 'admin' }]);
    expect(await unknown.ask('/v1/status', {}, { tls: clientTls })).toMatchObject({ status: 403 });
    const answer = await known.ask('/v1/status', { origin: 'https://evil.test' }, { tls: clientTls });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('does not speak without TLS', async () => {
    const { port } = await serveRemote();
    const socket = connectTcp(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed;
    expect(text).not.toContain('200');
  });

  it('ends connections that do not begin with TLS, and serves others meanwhile', async () => {
    const { ask, tokens, port } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const silent = ['', '\x16\x03\x01'].map(
      (text) =>
        new Promise((resolve) => {
          const socket = connectTcp(port, '127.0.0.1', () => void socket.write(text));
          onTestFinished(() => void socket.destroy());
          socket.on('error', () => {});
          socket.once('close', resolve);
        }),
    );
    expect(await ask('/v1/status', bearer(token))).toMatchObject({ status: 200 });
    await Promise.all(silent);
  }, 60_000);

  it('takes a new certificate over, and keeps the old one where the files do not fit', async () => {
    const { configure, files, port, use } = await serveRemote();
    const nameNow = () =>
      new Promise<unknown>((resolve, reject) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().subject.CN);
          socket.destroy();
        });
        socket.once('error', reject);
      });
    expect(await nameNow()).toBe('vmpulse zoo good');
    use('wrong-name');
    expect(await nameNow()).toBe('vmpulse zoo good');
    await configure(files);
    expect(await nameNow()).toBe('vmpulse zoo wrong-name');
  });
});

/** A connection that stays open for several requests. */
function keepOpen(port: number, tls: object = {}) {
  const client = new Client(`https://127.0.0.1:${port}`, {
    connect: { ca, ...tls },
    keepAliveTimeout: 60_000,
  });
  onTestFinished(() => client.destroy());
  const status = async (headers: Record<string, string> = {}) => {
    const { statusCode, body } = await client.request({ method: 'GET', path: '/v1/status', headers });
    await body.dump();
    return statusCode;
  };
  return { client, status };
}

/** Listens to events, and tells what came. */
async function listenTo(port: number, headers: Record<string, string>) {
  const { client } = keepOpen(port);
  const { body } = await client.request({ method: 'GET', path: '/v1/events', headers });
  let text = '';
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  body.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  body.once('error', end).once('end', end);
  return { text: () => text, isOver: () => isOver };
}

const event = (id: number) =>
  ({ id, atMs: id, vm: null, type: 'daemon', text: `event ${id}`, data: {} }) as const;

describe('a new configuration of the API by TCP', () => {
  it('moves it, and whoever is asking or listening at the old address loses nothing', async () => {
    const { ask, tokens, runtime, remote, port, files, configure } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const listener = await listenTo(port, bearer(token));
    await vi.waitFor(() => expect(runtime.listeners).toBe(1), 10_000);
    let open = () => {};
    runtime.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = ask('/v1/explain/lab/db', bearer(token));
    await vi.waitFor(() => expect(runtime.waiting).toBe(1), 10_000);
    await configure({ ...files, host: '127.0.0.2' });
    const moved = remote.server?.address() as AddressInfo;
    expect(moved.address).toBe('127.0.0.2');
    await expect(ask('/v1/status', bearer(token))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    open();
    expect(await slow).toMatchObject({ status: 200 });
    runtime.emit(event(7));
    await vi.waitFor(() => expect(listener.text()).toContain('event 7'), 10_000);
    expect(listener.isOver()).toBe(false);
  });

  it('ends it: what is under way is answered, and who listens is cut off', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { ask, tokens, runtime, remote, port, configure } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const listener = await listenTo(port, bearer(token));
    await vi.waitFor(() => expect(runtime.listeners).toBe(1), 10_000);
    await configure(undefined);
    expect(remote.server).toBeUndefined();
    await expect(ask('/v1/status', bearer(token))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await vi.advanceTimersByTimeAsync(15_000);
    await vi.waitFor(() => expect(listener.isOver()).toBe(true), 10_000);
  });

  it('takes other clients at once, and no certificate that only a former authority has signed', async () => {
    const { port, files, configure } = await serveRemote([{ commonName: COMMON_NAME, scope: 'read' }]);
    const known = keepOpen(port, clientTls);
    expect(await known.status()).toBe(200);
    await configure({ ...files, clients: [] });
    expect(await known.status()).toBe(403);
    await configure(files);
    expect(await known.status()).toBe(200);
    const { clientCa: _, ...without } = files;
    await configure(without);
    expect(await known.status()).toBe(401);
    expect(await keepOpen(port, clientTls).status()).toBe(401);
    await configure(files);
    expect(await keepOpen(port, clientTls).status()).toBe(200);
  });

  it('that cannot be used leaves the former one in force', async () => {
    const { ask, tokens, port, files, configure, remote } = await serveRemote();
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const { port: other } = taken.address() as AddressInfo;
    await expect(configure({ ...files, port: other })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ADDRESS_IN_USE',
    });
    await expect(configure({ ...files, key: pem('wrong-name.key') })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CONFIG',
    });
    expect((remote.server?.address() as AddressInfo).port).toBe(port);
    expect(await ask('/v1/status', bearer(token))).toMatchObject({ status: 200 });
  });

  it('that is given up is let go of again', async () => {
    const { remote, files } = await serveRemote();
    const port = await freePort();
    const access = { read: [], operate: [], admin: [] };
    const prepared = await remote.prepare({ api: { access, listen: { ...files, port } } });
    await prepared.discard();
    const again = createServer();
    onTestFinished(() => void again.close());
    await new Promise<void>((resolve, reject) => {
      again.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    expect((remote.server?.address() as AddressInfo).port).not.toBe(port);
  });
});

describe('tokens', () => {
  it('are kept as hashes, survive a restart, and every change is on record', async () => {
    const store = new FakeStore();
    const tokens = new TokenStore(store, () => 5);
    const { token, view } = await tokens.create({ ...make, name: 'ci', scope: 'admin' });
    expect(token).toMatch(/^vmp_[A-Za-z0-9_-]{43}$/);
    expect(JSON.stringify([...store.values])).not.toContain(token.slice(4));
    expect(view).toEqual({ name: 'ci', scope: 'admin', createdAtMs: 5, expiresAtMs: null, author: 'root@0' });
    await expect(tokens.create({ ...make, name: 'ci', scope: 'read' })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
    });
    const again = new TokenStore(store, () => 5);
    expect(await again.callerOf(token)).toEqual({ identity: 'token:ci', scope: 'admin' });
    expect(await again.callerOf('')).toBeUndefined();
    await again.revoke('ci', 'ann@1000');
    expect(await again.list()).toEqual([]);
    await expect(again.revoke('ci', 'ann@1000')).rejects.toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT' });
    expect(store.entries.map(({ text }) => text)).toEqual([
      'root@0 makes the token ci with the scope admin',
      'ann@1000 revokes the token ci',
    ]);
  });

  it('are not guessed from one that is known, nor from what is kept of it', async () => {
    const store = new FakeStore();
    const tokens = new TokenStore(store, () => 5);
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'admin' });
    const [kept = ''] = [...store.values.values()];
    const hash: string = JSON.parse(kept).hash;
    const swapped = (at: number) =>
      `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
    const guesses = [
      ...Array.from({ length: token.length }, (_, at) => swapped(at)),
      ...Array.from({ length: token.length }, (_, at) => token.slice(0, at)),
      ...[`${token} `, `${token}=`, token.toLowerCase(), token.slice(4), hash, `vmp_${hash}`],
    ];
    for (const guess of guesses) expect(await tokens.callerOf(guess), guess).toBeUndefined();
    expect(await tokens.callerOf(token)).toMatchObject({ scope: 'admin' });
  });

  it('are made one after another: of two of one name the second is refused', async () => {
    const tokens = new TokenStore(new FakeStore(), () => 5);
    const both = [1, 2].map(() => tokens.create({ ...make, name: 'ci', scope: 'read' }));
    const [first, second] = await Promise.allSettled(both);
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_VMPULSE_ARGUMENT' } });
    if (first?.status !== 'fulfilled') throw new Error('the first was refused');
    expect(await tokens.callerOf(first.value.token)).toMatchObject({ identity: 'token:ci' });
  });

  it('do not count once they are revoked, also where that cannot be stored, and can be revoked again', async () => {
    const store = new FakeStore();
    const tokens = new TokenStore(store, () => 5);
    const { token } = await tokens.create({ ...make, name: 'ci', scope: 'read' });
    const save = store.saveState.bind(store);
    store.saveState = () => Promise.reject(new Error('disk full'));
    await expect(tokens.revoke('ci', 'ann@1000')).rejects.toThrow('disk full');
    expect(await tokens.callerOf(token)).toBeUndefined();
    store.saveState = save;
    await tokens.revoke('ci', 'ann@1000');
    expect(await new TokenStore(store, () => 5).list()).toEqual([]);
  });

  it('that cannot be read let nobody in, and keep nobody out', async () => {
    const store = new FakeStore();
    const { token } = await new TokenStore(store, () => 5).create({ ...make, name: 'ci', scope: 'read' });
    store.values.set('api-token/torn', '{"hash":');
    const again = new TokenStore(store, () => 5);
    expect(await again.callerOf(token)).toMatchObject({ identity: 'token:ci' });
    expect(await again.list()).toHaveLength(1);
  });
});
