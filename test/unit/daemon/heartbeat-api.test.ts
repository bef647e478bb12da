import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createHeartbeatApi } from '../../../src/daemon/api.js';
import { closeHttpServer, createHttpServer } from '../../../src/daemon/http-server.js';
import { limitPerAddress } from '../../../src/daemon/limit-per-address.js';
import { listenTcp } from '../../../src/daemon/listen.js';
import { silentLogger } from '../../../src/model/logger.js';
import { FakeRuntime } from './fake-runtime.js';
import { serve } from './helpers.js';

/** The port that guests reach, over a fake runtime. */
async function guestPort(isReady = () => true) {
  const runtime = new FakeRuntime();
  const server = createHttpServer(createHeartbeatApi({ runtime, logger: silentLogger, isReady }));
  limitPerAddress(server);
  await listenTcp(server, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => closeHttpServer(server));
  const { port } = server.address() as AddressInfo;
  const post = async (path: string, token?: string, body?: string) => {
    const headers = token === undefined ? {} : { authorization: token };
    const request = { method: 'POST', headers, ...(body === undefined ? {} : { body }) };
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, request);
    return { status: answer.status, json: await answer.json() };
  };
  return { runtime, post, port };
}

describe('the port for heartbeats', () => {
  it('takes them with and without a body', async () => {
    const { post, runtime } = await guestPort();
    const taken = { status: 200, json: { received: true } };
    expect(await post('/v1/vms/default/web-1/heartbeat', 'Bearer good')).toEqual(taken);
    const body = '{"probe":"backup","status":"warning","message":"slow"}';
    expect(await post('/v1/vms/web-1/heartbeat', 'bearer good', body)).toEqual(taken);
    expect(runtime.calls).toEqual([
      ['receiveHeartbeat', 'default/web-1', 'good', {}],
      ['receiveHeartbeat', 'web-1', 'good', { probe: 'backup', status: 'warning', message: 'slow' }],
    ]);
  });

  it('refuses what has no token, a wrong one, or a body that does not fit', async () => {
    const { post, runtime } = await guestPort();
    const path = '/v1/vms/default/web-1/heartbeat';
    const unauthorized = { status: 401, json: { error: { code: 'ERR_VMPULSE_UNAUTHORIZED' } } };
    expect(await post(path)).toMatchObject(unauthorized);
    expect(await post(path, 'Basic good')).toMatchObject(unauthorized);
    expect(await post(path, `Bearer ${'x'.repeat(1000)}`)).toMatchObject(unauthorized);
    expect(runtime.calls).toEqual([]);
    expect(await post(path, 'Bearer bad')).toMatchObject(unauthorized);
    for (const body of ['{', '[]', '{"status":"fine"}', '{"other":1}', `{"message":"${'x'.repeat(5000)}"}`])
      expect(await post(path, 'Bearer good', body)).toMatchObject({ status: 400 });
    expect(await post(path, 'Bearer good', 'x'.repeat(70_000))).toMatchObject({ status: 413 });
  });

  it('serves nothing else, and nothing before the daemon is ready', async () => {
    const { post, port } = await guestPort();
    expect((await fetch(`http://127.0.0.1:${port}/v1/status`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404);
    expect(await post('/v1/vms/web-1/heartbeat-token', 'Bearer good')).toMatchObject({ status: 404 });
    const early = await guestPort(() => false);
    expect(await early.post('/v1/vms/web-1/heartbeat', 'Bearer good')).toMatchObject({ status: 503 });
  });

  it('gives one address eight connections', async () => {
    const { port } = await guestPort();
    const sockets = Array.from({ length: 9 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    const last = sockets[8];
    if (last === undefined) throw new Error('no socket');
    await new Promise((resolve) => last.once('close', resolve));
    expect(sockets.slice(0, 8).map(({ destroyed }) => destroyed)).toEqual(Array(8).fill(false));
    for (const socket of sockets) socket.destroy();
  });
});

describe('a flood of heartbeats', () => {
  const path = '/v1/vms/default/web-1/heartbeat';
  /** However long the test takes, no share grows again. */
  const stopTime = () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
  };

  it('with wrong tokens is answered less and less, and honest ones of the same address are taken', async () => {
    stopTime();
    const { post } = await guestPort();
    const statuses: number[] = [];
    for (let i = 0; i < 10; i++) statuses.push((await post(path, `Bearer guess${i}`)).status);
    expect(statuses).toEqual(Array(10).fill(401));
    for (const token of ['Bearer guess', undefined])
      expect(await post(path, token)).toMatchObject({
        status: 429,
        json: { error: { code: 'ERR_VMPULSE_LIMIT', message: expect.stringContaining('try again in') } },
      });
    for (let i = 0; i < 20; i++) expect(await post(path, 'Bearer good')).toMatchObject({ status: 200 });
  });

  it('with one right token is held to so many a second, and no other guest with it', async () => {
    stopTime();
    const { post, runtime } = await guestPort();
    runtime.heartbeatTokens.add('another');
    for (let i = 0; i < 200; i++) await post(path, 'Bearer good');
    expect(runtime.calls).toHaveLength(200);
    expect(await post(path, 'Bearer good')).toMatchObject({
      status: 429,
      json: { error: { code: 'ERR_VMPULSE_LIMIT' } },
    });
    expect(runtime.calls).toHaveLength(200);
    expect(await post(path, 'Bearer another')).toMatchObject({ status: 200 });
  });
});

describe('the API', () => {
  it('makes tokens, and takes heartbeats only with one, too', async () => {
    const { post, send, runtime } = await serve();
    expect(await post('/v1/vms/default/web-1/heartbeat-token', { author: 'ann@1000' })).toMatchObject({
      status: 200,
      json: { vm: 'default/web-1', token: 'a-new_token' },
    });
    expect(runtime.calls).toEqual([['issueHeartbeatToken', { vm: 'default/web-1', author: 'ann@1000' }]]);
    const path = '/v1/vms/default/web-1/heartbeat';
    expect(await post(path)).toMatchObject({ status: 401 });
    const headers = { authorization: 'Bearer good' };
    expect(await send({ method: 'POST', path, headers })).toMatchObject({ status: 200 });
  });
});
