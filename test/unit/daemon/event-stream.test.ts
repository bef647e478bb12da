import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { resumeAfter } from '../../../src/daemon/event-stream.js';
import { closeHttpServer } from '../../../src/daemon/http-server.js';
import { type Served, serve } from './helpers.js';

const PATIENCE = { timeout: 20_000, interval: 10 };

/** Listens and keeps what came. */
async function listen({ client }: Served, path = '/v1/events', headers: Record<string, string> = {}) {
  const { statusCode, headers: answered, body } = await client.request({ method: 'GET', path, headers });
  const stream = {
    statusCode,
    type: answered['content-type'],
    text: '',
    ended: false,
    stop: () => body.destroy(),
  };
  body.on('data', (chunk: Buffer) => {
    stream.text += chunk;
  });
  body.on('error', () => {});
  body.once('close', () => {
    stream.ended = true;
  });
  onTestFinished(() => void body.destroy());
  return stream;
}

const ids = (text: string) => [...text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id);

describe('GET /v1/events', () => {
  it('sends what happens from now on, as server-sent events', async () => {
    const served = await serve();
    served.runtime.emit({ text: 'before' });
    const stream = await listen(served);
    expect(stream).toMatchObject({ statusCode: 200, type: 'text/event-stream' });
    await vi.waitFor(() => expect(served.runtime.listeners).toBe(1), PATIENCE);
    served.runtime.emit({ vm: 'lab/db', type: 'health', text: 'lab/db\nis unhealthy' });
    await vi.waitFor(() => expect(ids(stream.text)).toEqual(['1700-2']), PATIENCE);
    const data = JSON.stringify({
      id: 2,
      atMs: 20,
      vm: 'lab/db',
      type: 'health',
      text: 'lab/db\nis unhealthy',
      data: {},
    });
    expect(stream.text).toBe(`retry: 1000\n\nid: 1700-2\nevent: health\ndata: ${data}\n\n`);
  });

  it('goes on after the last event that a client has seen, and from the start after a restart of the daemon', async () => {
    const served = await serve();
    for (let i = 0; i < 4; i++) served.runtime.emit({});
    const same = await listen(served, '/v1/events', { 'last-event-id': '1700-2' });
    await vi.waitFor(() => expect(ids(same.text)).toEqual(['1700-3', '1700-4']), PATIENCE);
    same.stop();
    const other = await listen(served, '/v1/events', { 'last-event-id': '1600-900' });
    await vi.waitFor(
      () => expect(ids(other.text)).toEqual(['1700-1', '1700-2', '1700-3', '1700-4']),
      PATIENCE,
    );
  });

  it('loses and repeats nothing for a client whose connection breaks, again and again', async () => {
    const served = await serve();
    const seen: string[] = [];
    let last: string | undefined;
    for (let round = 0; round < 5; round++) {
      const stream = await listen(served, '/v1/events', last === undefined ? {} : { 'last-event-id': last });
      if (round === 0) await vi.waitFor(() => expect(served.runtime.listeners).toBe(1), PATIENCE);
      served.runtime.emit({ text: `while connected ${round}` });
      const expected = round === 0 ? 1 : 2;
      await vi.waitFor(() => expect(ids(stream.text)).toHaveLength(expected), PATIENCE);
      stream.stop();
      await vi.waitFor(() => expect(stream.ended).toBe(true), PATIENCE);
      const came = ids(stream.text).map(String);
      seen.push(...came);
      last = came.at(-1);
      served.runtime.emit({ text: `while away ${round}` });
    }
    expect(seen).toEqual(Array.from({ length: 9 }, (_, i) => `1700-${i + 1}`));
  });

  it('sends the events of one VM only, when asked', async () => {
    const served = await serve();
    for (const vm of ['lab/db', null, 'default/web-1', 'lab/db']) served.runtime.emit({ vm });
    const stream = await listen(served, '/v1/events?vm=db', { 'last-event-id': '1700-0' });
    await vi.waitFor(() => expect(ids(stream.text)).toEqual(['1700-1', '1700-4']), PATIENCE);
  });

  it('refuses an id that it never gave out, and a VM that is not watched', async () => {
    const { get } = await serve();
    expect(await get('/v1/events', { 'last-event-id': '12' })).toMatchObject({ status: 400 });
    expect(await get('/v1/events?vm=nobody')).toMatchObject({ status: 404 });
    expect(() => resumeAfter('1700-', 1700)).toThrow(
      expect.objectContaining({ code: 'ERR_VMPULSE_ARGUMENT' }),
    );
    expect(resumeAfter(undefined, 1700)).toBeUndefined();
  });

  it('cuts off a client that does not read, and nobody else', async () => {
    const served = await serve();
    const slow = connect(served.socket);
    onTestFinished(() => void slow.destroy());
    let cutOff = false;
    slow.once('close', () => {
      cutOff = true;
    });
    slow.pause();
    slow.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await vi.waitFor(() => expect(served.runtime.listeners).toBe(1), PATIENCE);
    const quick = await listen(served);
    await vi.waitFor(() => expect(served.runtime.listeners).toBe(2), PATIENCE);
    const connections = () =>
      new Promise<number>((resolve, reject) =>
        served.server.getConnections((error, n) => (error ? reject(error) : resolve(n))),
      );
    expect(await connections()).toBe(2);
    const pad = 'x'.repeat(50_000);
    for (let i = 1; i <= 80; i++) {
      served.runtime.emit({ text: pad });
      await vi.waitFor(() => expect(ids(quick.text)).toHaveLength(i), PATIENCE);
    }
    await vi.waitFor(async () => expect(await connections()).toBe(1), PATIENCE);
    expect(quick.ended).toBe(false);
    slow.resume();
    await vi.waitFor(() => expect(cutOff).toBe(true), PATIENCE);
  });

  it('serves a bounded number of clients', async () => {
    const served = await serve();
    const sockets = Array.from({ length: 64 }, () => connect(served.socket));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of sockets) socket.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await vi.waitFor(() => expect(served.runtime.listeners).toBe(64), PATIENCE);
    expect(await served.get('/v1/events')).toMatchObject({ status: 503 });
    sockets[0]?.destroy();
    await vi.waitFor(async () => {
      const { client } = served;
      const { statusCode, body } = await client.request({ method: 'GET', path: '/v1/events' });
      body.on('error', () => {});
      body.destroy();
      expect(statusCode).toBe(200);
    }, PATIENCE);
  });

  it('ends with the daemon', async () => {
    const served = await serve();
    const stream = await listen(served);
    served.stop.abort();
    await closeHttpServer(served.server);
    await vi.waitFor(() => expect(stream.ended).toBe(true), PATIENCE);
  });
});
