import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Ask, follow } from '../../../src/images/follow.js';
import { ImageStore, parseChecksum, pullImage } from '../../../src/images/index.js';
import { testFolder } from '../../fixtures/folder.js';
import { serve } from './web.js';

const IMAGE = randomBytes(299_520);
const CUT = 100_000;
const checksum = parseChecksum(`sha256:${createHash('sha256').update(IMAGE).digest('hex')}`);

function bench() {
  const folder = testFolder();
  const store = new ImageStore(folder);
  const pull = (source: string) =>
    pullImage({ store, source, name: 'debian', checksum, maxBytes: 1e6, deadlineMs: 30_000, nowMs: 1 });
  return { folder, store, pull, data: join(store.partFolder('debian'), 'data') };
}

interface Rest {
  readonly status: number;
  readonly range: string;
  /** How much of it comes; unset: all. */
  readonly bytes?: number;
}

/** A server that ends its first answer early; `rest` answers what is asked for after that. */
async function cutting(rest: (from: number) => Rest) {
  const asked: (string | undefined)[] = [];
  const url = await serve(({ headers }, response) => {
    asked.push(headers.range);
    const tag = { etag: '"v1"' };
    if (headers.range === undefined) {
      if (asked.length > 1) return response.writeHead(200, tag).end(IMAGE);
      response.writeHead(200, { ...tag, 'content-length': IMAGE.length });
      response.write(IMAGE.subarray(0, CUT), () => setTimeout(() => response.destroy(), 200));
      return;
    }
    const from = Number(/bytes=(\d+)-/.exec(headers.range)?.[1]);
    expect(headers['if-range']).toBe('"v1"');
    const { status, range, bytes = IMAGE.length } = rest(from);
    if (status === 200) return response.writeHead(200, { etag: '"v2"' }).end(IMAGE);
    response.writeHead(status, { ...tag, 'content-range': range });
    response.end(IMAGE.subarray(from, from + bytes));
  });
  return { url, asked };
}

const honest = (from: number) => ({
  status: 206,
  range: `bytes ${from}-${IMAGE.length - 1}/${IMAGE.length}`,
});

describe('a pull that goes on', () => {
  it('asks for the rest only, where it was cut off', async () => {
    const { store, pull } = bench();
    const { url, asked } = await cutting(honest);
    await expect(pull(url)).rejects.toMatchObject({ code: 'ERR_VMPULSE_STORAGE' });
    const record = await pull(url);
    expect(readFileSync(store.pathOf(record))).toEqual(IMAGE);
    expect(asked).toEqual([undefined, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
    expect(record.source).not.toContain('secret');
  });

  it('begins anew when the server has another version by now', async () => {
    const { store, pull, data } = bench();
    const { url } = await cutting(() => ({ status: 200, range: '' }));
    await expect(pull(url)).rejects.toThrow();
    // The other version was longer.
    writeFileSync(data, randomBytes(400_000));
    expect(readFileSync(store.pathOf(await pull(url)))).toEqual(IMAGE);
  });

  it('never goes on with what another source has begun, whatever tag that had', async () => {
    const { pull } = bench();
    const first = await cutting(honest);
    await expect(pull(first.url)).rejects.toThrow();
    const second = await cutting(honest);
    await expect(pull(second.url)).rejects.toThrow();
    expect(second.asked).toEqual([undefined]);
  });

  it('never goes on with what a file has left', async () => {
    const { folder, pull, data } = bench();
    const { url, asked } = await cutting(honest);
    await expect(pull(url)).rejects.toThrow();
    writeFileSync(join(folder, 'other.img'), 'another image');
    await expect(pull(join(folder, 'other.img'))).rejects.toThrow('is not the image of that checksum');
    expect(existsSync(data)).toBe(false);
    await pull(url);
    expect(asked).toEqual([undefined, undefined]);
  });

  it.each([
    ['another part', (from: number) => ({ status: 206, range: `bytes ${from - 1}-299519/299520` })],
    ['fewer bytes than came', () => ({ status: 416, range: 'bytes */5' })],
    ['a part of nobody knows how much', (from: number) => ({ status: 206, range: `bytes ${from}-299999/*` })],
  ])('takes no answer of %s, and begins anew after it', async (_what, rest) => {
    const { pull } = bench();
    const { url, asked } = await cutting(rest);
    await expect(pull(url)).rejects.toThrow();
    await expect(pull(url)).rejects.toThrow('another part than was asked for');
    await pull(url);
    expect(asked).toHaveLength(3);
    expect(asked[2]).toBeUndefined();
  });
});

describe('an answer', () => {
  it('is not taken for the whole rest when the server gives less of it', async () => {
    const { store, data } = bench();
    const pull = (source: string) =>
      pullImage({ store, source, name: 'debian', maxBytes: 1e6, deadlineMs: 30_000, nowMs: 1, checksum });
    const { url, asked } = await cutting((from) => ({
      ...honest(from),
      ...(asked.length === 2 ? { bytes: 50_000 } : {}),
    }));
    await expect(pull(url)).rejects.toThrow();
    await expect(pull(url)).rejects.toThrow('of 299520 bytes; the next pull goes on from here');
    expect(statSync(data).size).toBeGreaterThanOrEqual(50_000);
    expect(readFileSync(store.pathOf(await pull(url)))).toEqual(IMAGE);
    expect(asked).toHaveLength(3);
  });

  it('is taken whole of an old server that ends its connection with it', async () => {
    const { store, pull } = bench();
    const server = createServer((socket) => {
      const head = `HTTP/1.0 200 OK\r\nContent-Length: ${IMAGE.length}\r\n\r\n`;
      socket.once('data', () => socket.end(Buffer.concat([Buffer.from(head), IMAGE])));
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const record = await pull(`http://127.0.0.1:${port}/d.img`);
    expect(readFileSync(store.pathOf(record))).toEqual(IMAGE);
  });

  it('is asked for as it is, and refused when it comes packed', async () => {
    const { pull, data } = bench();
    const url = await serve(({ headers }, response) => {
      expect(headers['accept-encoding']).toBe('identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(IMAGE));
    });
    await expect(pull(url)).rejects.toThrow('it sends the image packed (gzip)');
    expect(existsSync(data)).toBe(false);
  });
});

describe('what a URL leads to', () => {
  it('is followed on real servers, and no further than allowed', async () => {
    const { store, pull } = bench();
    const image = await serve((_request, response) => response.end(IMAGE));
    const moved = await serve((_request, response) => response.writeHead(302, { location: image }).end());
    const record = await pull(moved);
    expect(readFileSync(store.pathOf(record))).toEqual(IMAGE);
    expect(record.source).toBe(moved.replace(/\?.*/, ''));
    let hops = 0;
    const loop = await serve((_request, response) => {
      hops += 1;
      response.writeHead(307, { location: '/d.img?again=1' }).end();
    });
    await expect(pull(loop)).rejects.toThrow('more than 10 other places');
    expect(hops).toBe(11);
  });

  const leads = (chain: Readonly<Record<string, string>>) => {
    const asked: string[] = [];
    const ask: Ask = async (url) => {
      asked.push(url.href);
      const location = chain[url.href];
      const response = Object.assign(new IncomingMessage(new Socket()), { statusCode: location ? 302 : 200 });
      if (location !== undefined) response.headers.location = location;
      return response;
    };
    const go = (url: string) => follow(new URL(url), {}, new AbortController().signal, ask);
    return { go, asked };
  };

  it('is followed, also by a path alone', async () => {
    const { go, asked } = leads({ 'http://a/x': 'https://b/y', 'https://b/y': '/z' });
    expect((await go('http://a/x')).statusCode).toBe(200);
    expect(asked).toEqual(['http://a/x', 'https://b/y', 'https://b/z']);
  });

  it.each([
    ['is not encrypted on the way', 'http://b/y', 'not encrypted'],
    ['has a password', 'https://me:geheim@b/y', 'a user name or password'],
    ['is no web server', 'file:///etc/shadow', 'no http or https URL'],
    ['never ends', 'https://a/x', 'more than 10'],
  ])('is refused when it %s', async (_what, to, message) => {
    const { go, asked } = leads({ 'https://a/x': to, 'http://b/y': 'https://c/z' });
    const refused = go('https://a/x');
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.not.toThrow('geheim');
    expect(asked).not.toContain('http://b/y');
  });
});
