import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import { explainView, vmView } from './fake-runtime.js';
import { serve } from './helpers.js';

const error = (code: string, message: unknown = expect.any(String)) => ({ error: { code, message } });

describe('the API', () => {
  it('gives the host, one VM by both its names, and its explanation', async () => {
    const { get, runtime } = await serve();
    expect(await get('/v1/status')).toMatchObject({ status: 200, json: runtime.view() });
    for (const path of ['/v1/status/default/web-1', '/v1/status/web-1', '/v1/status/default%2Fweb-1']) {
      expect(await get(path)).toMatchObject({ status: 200, json: vmView('default/web-1') });
    }
    for (const path of ['/v1/explain/lab/db', '/v1/explain/db']) {
      expect(await get(path)).toMatchObject({ status: 200, json: explainView('lab/db') });
    }
  });

  it('gives the list of endpoints, and targets to Prometheus', async () => {
    const { get, runtime } = await serve();
    const [first] = runtime.vms;
    expect(await get('/v1/readiness')).toMatchObject({
      status: 200,
      json: { host: runtime.view().host, endpoints: [{ vm: first?.id, ready: true, keptReadyBy: null }, {}] },
    });
    expect(await get('/sd/prometheus?port=9100')).toMatchObject({
      status: 200,
      json: [{ targets: ['192.0.2.7:9100'] }, {}],
    });
    expect(await get('/sd/prometheus?port=x')).toMatchObject({
      status: 400,
      json: error('ERR_VMPULSE_ARGUMENT'),
    });
  });

  it('takes commands with their author and answers with what holds then', async () => {
    const { post, runtime } = await serve();
    const held = await post('/v1/recovery/hold', {
      vm: 'web-1',
      reason: ' disk swap ',
      author: 'ann@1000',
      forMs: 600_000,
    });
    expect(held).toMatchObject({
      status: 200,
      json: { holds: [{ vm: 'default/web-1', reason: 'disk swap', author: 'ann@1000', untilMs: 600_000 }] },
    });
    expect(await post('/v1/recovery/hold', { reason: 'all', author: 'ann@1000' })).toMatchObject({
      status: 200,
    });
    expect(await post('/v1/recovery/resume', { author: 'bob@0' })).toMatchObject({
      status: 200,
      json: { holds: [] },
    });
    expect(await post('/v1/recovery/resume', { vm: 'lab/db', author: 'bob@0' })).toMatchObject({
      status: 200,
    });
    expect(await post('/v1/vms/lab/db/release', { author: 'bob@0' })).toMatchObject({
      status: 200,
      json: { id: 'lab/db' },
    });
    expect(await post('/v1/vms/db/release', { author: 'bob@0' })).toMatchObject({
      status: 200,
      json: { id: 'lab/db' },
    });
    expect(runtime.calls).toEqual([
      ['hold', { vm: 'default/web-1', reason: 'disk swap', author: 'ann@1000', forMs: 600_000 }],
      ['hold', { vm: null, reason: 'all', author: 'ann@1000', forMs: null }],
      ['resume', { vm: null, author: 'ann@1000 (says bob@0)' }],
      ['resume', { vm: 'lab/db', author: 'ann@1000 (says bob@0)' }],
      ['release', { vm: 'lab/db', author: 'ann@1000 (says bob@0)' }],
      ['release', { vm: 'lab/db', author: 'ann@1000 (says bob@0)' }],
    ]);
    expect(await post('/v1/reload')).toMatchObject({ status: 200, json: { added: ['lab/new'] } });
  });

  it('takes commands about what persons want', async () => {
    const { post, get, runtime } = await serve();
    const begun = { reason: 'update', author: 'ann@1000', forMs: 1_000 };
    expect(await post('/v1/vms/lab/db/maintenance', begun)).toMatchObject({ json: { id: 'lab/db' } });
    expect(await post('/v1/vms/db/end-maintenance', { author: 'ann@1000' })).toMatchObject({ status: 200 });
    const reboot = { step: 'reboot', reason: 'kernel', author: 'ann@1000' };
    expect(await post('/v1/vms/db/schedule', reboot)).toMatchObject({ json: { id: 'lab/db' } });
    expect(await post('/v1/vms/db/schedule', { ...reboot, step: 'reset' })).toMatchObject({ status: 400 });
    await post('/v1/recovery/hold', { reason: 'all', author: 'ann@1000' });
    expect(await get('/v1/maintenance')).toMatchObject({ json: { entries: [{ vm: 'default/web-1' }] } });
    expect(await get('/v1/intents')).toMatchObject({ json: { intents: [{ what: 'hold', vm: null }] } });
    expect(await post('/v1/intents/clear', { author: 'ann@1000' })).toMatchObject({ json: { intents: [] } });
    expect(await post('/v1/vms/lab/db/maintenance', { author: 'x' })).toMatchObject({ status: 400 });
    expect(runtime.calls).toEqual([
      ['beginMaintenance', { vm: 'lab/db', ...begun }],
      ['endMaintenance', { vm: 'lab/db', author: 'ann@1000' }],
      ['schedule', { vm: 'lab/db', ...reboot }],
      ['hold', { vm: null, reason: 'all', author: 'ann@1000', forMs: null }],
      ['clearIntents', { vm: null, author: 'ann@1000' }],
    ]);
  });

  it.each([
    ['gzip, deflate', 'gzip'],
    ['deflate, GZIP;q=0.5', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000', undefined],
    ['identity', undefined],
  ])('compresses the metrics where Accept-Encoding %s asks for it', async (accepted, encoding) => {
    const { client } = await serve();
    const answer = await client.request({
      method: 'GET',
      path: '/metrics',
      headers: { 'accept-encoding': accepted },
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    expect(answer.headers['content-encoding']).toBe(encoding);
    expect((encoding === 'gzip' ? gunzipSync(body) : body).toString()).toContain('vmpulse_up 1');
  });

  it('serves the metrics as Prometheus expects them', async () => {
    const { get } = await serve();
    const found = await get('/metrics');
    expect(found).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
    expect(found.text).toContain('vmpulse_up 1\n');
  });
});

describe('what the API refuses', () => {
  it('names the resource or the method that is wrong', async () => {
    const { get, post, send } = await serve();
    expect(await get('/v1/nothing')).toMatchObject({
      status: 404,
      json: error('ERR_VMPULSE_ARGUMENT', expect.stringContaining('/v1/nothing')),
    });
    expect(await get('/v1/reload')).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
      json: error('ERR_VMPULSE_ARGUMENT'),
    });
    expect(await send({ method: 'DELETE', path: '/v1/config' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST' },
    });
    for (const path of ['/v1/x/../status', '/v1/./status', '/v1/x/%2E%2e/status', '/v1/..'])
      expect(await get(path)).toMatchObject({ status: 400, json: error('ERR_VMPULSE_ARGUMENT') });
    expect(await get('/v1/x\\..\\status')).toMatchObject({ status: 400 });
    expect(await get('/v1/status/web-1..x')).toMatchObject({ status: 404 });
    expect(await get('/metrics?x=1')).toMatchObject({ status: 400, json: error('ERR_VMPULSE_ARGUMENT') });
    expect(await post('/v1/status')).toMatchObject({ status: 405, headers: { allow: 'GET' } });
    expect(await send({ method: 'DELETE', path: '/v1/status/default/web-1' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET' },
    });
    expect(await get('/v1/status/lab/nobody')).toMatchObject({
      status: 404,
      json: error('ERR_VMPULSE_VM_UNKNOWN'),
    });
    expect(await get('/v1/explain/nobody')).toMatchObject({
      status: 404,
      json: error('ERR_VMPULSE_VM_UNKNOWN'),
    });
    expect(await get('/v1/status/%ff%00')).toMatchObject({ status: 404 });
    for (const path of ['/v1/intents?vm=db', '/v1/network?vms=db', '/v1/journal?limit=1001'])
      expect(await get(path)).toMatchObject({
        status: 400,
        json: error('ERR_VMPULSE_ARGUMENT', expect.stringMatching(/vm|limit/)),
      });
  });

  const author = 'ann@1000';
  const bad: readonly [why: string, body: unknown, named: string][] = [
    ['no reason', { author }, 'reason'],
    ['an empty reason', { author, reason: '  ' }, 'reason'],
    ['a reason that is too long', { author, reason: 'x'.repeat(501) }, 'reason'],
    ['an empty author', { reason: 'r', author: ' ' }, 'author'],
    ['a member it does not know', { author, reason: 'r', forr: 1 }, 'forr'],
    ['a time that is no number', { author, reason: 'r', forMs: '10m' }, 'forMs'],
    ['a time that is over', { author, reason: 'r', forMs: 0 }, 'forMs'],
    ['a time without end', { author, reason: 'r', forMs: 1e18 }, 'forMs'],
    ['a VM that is no text', { author, reason: 'r', vm: 3 }, 'vm'],
    ['a list', [], 'body'],
  ];
  it.each(bad)('a hold with %s', async (_why, body, named) => {
    const { post, runtime } = await serve();
    const found = await post('/v1/recovery/hold', body);
    expect(found).toMatchObject({
      status: 400,
      json: error('ERR_VMPULSE_ARGUMENT', expect.stringContaining(named)),
    });
    expect(runtime.calls).toEqual([]);
  });

  it('a body that is no JSON, or none, or too large', async () => {
    const { send, post, runtime } = await serve();
    const path = '/v1/recovery/hold';
    expect(await send({ method: 'POST', path, body: '{"author":' })).toMatchObject({
      status: 400,
      json: error('ERR_VMPULSE_ARGUMENT'),
    });
    expect(await post(path)).toMatchObject({ status: 400 });
    const large = JSON.stringify({ author, reason: 'x'.repeat(70_000) });
    expect(await send({ method: 'POST', path, body: large })).toMatchObject({
      status: 413,
      json: error('ERR_VMPULSE_ARGUMENT'),
    });
    async function* chunks() {
      for (let i = 0; i < 80; i++) yield Buffer.alloc(1024, 0x20);
    }
    const chunked = await send({
      method: 'POST',
      path,
      body: Readable.from(chunks()),
    });
    expect(chunked).toMatchObject({ status: 413 });
    expect(runtime.calls).toEqual([]);
    const small = Readable.from([Buffer.from('{"author":"a@1",'), Buffer.from('"reason":"r"}')]);
    expect(await send({ method: 'POST', path, body: small })).toMatchObject({ status: 200 });
    expect(runtime.calls).toHaveLength(1);
  });

  it('escapes control characters of an author and a reason', async () => {
    const { post, runtime } = await serve();
    await post('/v1/recovery/hold', { author: 'ann\u001b[2J', reason: 'a\nb' });
    expect(runtime.calls).toEqual([
      ['hold', { vm: null, author: 'ann@1000 (says ann\\u001b[2J)', reason: 'a\\u000ab', forMs: null }],
    ]);
  });
});

describe('what goes wrong behind the API', () => {
  it.each([
    ['ERR_VMPULSE_CLOSED', 503],
    ['ERR_VMPULSE_JOURNAL', 503],
    ['ERR_VMPULSE_TIMEOUT', 504],
    ['ERR_VMPULSE_UNSUPPORTED', 501],
    ['ERR_VMPULSE_NATIVE', 500],
  ] as const)('%s is told as %i', async (code, status) => {
    const { get, runtime } = await serve();
    runtime.failure = new VmpulseError(code, 'why it is');
    expect(await get('/v1/status')).toMatchObject({ status, json: error(code, 'why it is') });
  });

  it('a configuration that does not load is told whole', async () => {
    const message = 'a.yaml:3:1: one\na.yaml:9:2: two';
    const { post } = await serve({
      reload: () => Promise.reject(new VmpulseError('ERR_VMPULSE_CONFIG', message)),
    });
    expect(await post('/v1/reload')).toMatchObject({
      status: 422,
      json: error('ERR_VMPULSE_CONFIG', message),
    });
  });

  it('an error of ours is logged and told as internal', async () => {
    const logged: unknown[] = [];
    const note = (data: unknown) => void logged.push(data);
    const { get, runtime } = await serve({ logger: { debug: note, info: note, warn: note, error: note } });
    runtime.failure = new TypeError('undefined is not a function');
    expect(await get('/v1/status')).toMatchObject({ status: 500, json: error('ERR_VMPULSE_INTERNAL') });
    expect(logged).toEqual([{ method: 'GET', path: '/v1/status', error: 'undefined is not a function' }]);
  });

  it('a daemon that is not ready yet answers so, and serves its metrics', async () => {
    let ready = false;
    const { get } = await serve({ isReady: () => ready });
    expect(await get('/v1/status')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      json: error('ERR_VMPULSE_CLOSED', expect.stringContaining('starting')),
    });
    expect(await get('/metrics')).toMatchObject({ status: 200 });
    ready = true;
    expect(await get('/v1/status')).toMatchObject({ status: 200 });
  });

  it('a request that does not end is answered at its deadline', async () => {
    const { get, runtime } = await serve({ requestDeadlineMs: 50 });
    runtime.gate = new Promise(() => {});
    expect(await get('/v1/explain/lab/db')).toMatchObject({
      status: 504,
      json: error('ERR_VMPULSE_TIMEOUT'),
    });
    expect(await get('/v1/status')).toMatchObject({ status: 200 });
  });
});
