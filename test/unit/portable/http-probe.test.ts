import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { TargetCheck } from '../../../src/engine/probe-engine.js';
import type { HttpGetOptions } from '../../../src/model/probe.js';
import { ZOO, zooCheck, zooTimeoutMs } from '../../fakes/http-zoo.js';
import { failed, OK } from '../../fakes/http-zoo-verdict.js';
import { testFolder } from '../../fixtures/folder.js';
import { eventually, PATIENCE_MS, target, within } from '../../native/engine/support.js';
import { openPortable } from './support.js';

const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function pem(name: string): string {
  return readFileSync(new URL(`../../fakes/certs/${name}.pem`, import.meta.url), 'utf8');
}

/** Answers each request on each connection, as the test says; plain or over TLS, until the test ends. */
async function serve(
  answer: (socket: Socket, request: string, connection: number) => void,
  secure = false,
): Promise<{ readonly port: number; readonly requests: string[]; readonly connections: () => number }> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const onConnection = (socket: Socket): void => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      requests.push(bytes.toString('latin1'));
      answer(socket, bytes.toString('latin1'), connection);
    });
  };
  const identity = { cert: pem('good'), key: pem('good.key') };
  const server = secure ? createTlsServer(identity, onConnection) : createServer(onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return { port: address.port, requests, connections: () => connections };
}

function httpCheck(port: number, options: Partial<HttpGetOptions> = {}): TargetCheck {
  const http: HttpGetOptions = { scheme: 'http', path: '/', headers: [], ...options, port };
  return { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port }, http };
}

describe('the zoo of HTTP servers', () => {
  it.each(ZOO.map((zooCase) => [zooCase.name, zooCase] as const))('%s', async (_name, zooCase) => {
    const server = await zooCase.start();
    onTestFinished(() => server.close());
    const engine = openPortable();
    const timeoutMs = zooTimeoutMs(zooCase);
    const probe = engine.probeOnce(zooCheck(zooCase, server.port), { timeoutMs });
    const result = await within(probe, 'the result');
    expect({ outcome: result.outcome, warnings: result.warnings }).toEqual({
      outcome: zooCase.expected,
      warnings: zooCase.warnings ?? [],
    });
    expect(engine.stats().inFlight).toBe(0);
  });
});

describe('results', () => {
  it('tell what was measured, and the transcript only when asked', async () => {
    const { port } = await serve((socket) => socket.write(RESPONSE));
    const engine = openPortable();
    const plain = await engine.probeOnce(httpCheck(port), { timeoutMs: 5000 });
    expect(plain.details).toEqual({ status: 200, bodyBytes: 2, redirects: 0 });
    expect(plain.debug).toBeUndefined();
    const told = await engine.probeOnce(httpCheck(port), { timeoutMs: 5000, debug: true });
    expect(told.debug).toMatch(/^> GET \/ HTTP\/1\.1\n> Host: 127\.0\.0\.1:\d+\n> User-Agent: vmpulse\/\d/);
    expect(told.debug).toMatch(/< Content-Length: 2\n< ok\n$/);
  });

  it('of failures have a message, escaped and bounded', async () => {
    const { port } = await serve((socket) => socket.write(`\u001b[2J${'x'.repeat(1000)}`));
    const { outcome, details } = await openPortable().probeOnce(httpCheck(port), { timeoutMs: 5000 });
    expect(outcome).toEqual(failed('protocol-error'));
    expect(details).toEqual({
      message: `not an HTTP/1 response: it begins "\\x1b[2J${'x'.repeat(28)}…"`,
    });
  });

  it('of TLS tell its version and the end of the certificate', async () => {
    const { port } = await serve((socket) => socket.write(RESPONSE), true);
    const result = await openPortable().probeOnce(httpCheck(port, { scheme: 'https' }), {
      timeoutMs: 5000,
      debug: true,
    });
    expect(result.outcome).toEqual(OK);
    expect(result.details).toMatchObject({
      tlsVersion: 'TLSv1.3',
      certificateNotAfterMs: Date.UTC(2099, 11, 31, 23, 59, 59),
    });
    expect(result.debug).toContain('* TLSv1.3, certificate ends at 2099-12-31T23:59:59.000Z');
  });
});

describe('kept connections', () => {
  it.each([false, true])('serve the next probe (TLS: %s)', async (secure) => {
    const { port, requests, connections } = await serve((socket) => socket.write(RESPONSE), secure);
    const engine = openPortable();
    const check = httpCheck(port, { keepAlive: true, scheme: secure ? 'https' : 'http' });
    const [handle = 0] = engine.add([target('a', check, { periodMs: 200, timeoutMs: 190 })]);
    await eventually(() => requests.length >= 4, 'four requests');
    expect(connections()).toBeLessThan(requests.length);
    expect(requests[0]).not.toContain('Connection:');
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
  });

  it('that died in the meantime are replaced without a failure', async () => {
    const { port, requests, connections } = await serve((socket, _request, connection) => {
      // Every second request on a connection finds it closed.
      if (connection > 0) socket.write(RESPONSE, () => setImmediate(() => socket.destroy()));
    });
    const engine = openPortable();
    const [handle = 0] = engine.add([
      target('a', httpCheck(port, { keepAlive: true }), { periodMs: 300, timeoutMs: 290 }),
    ]);
    await eventually(() => requests.length >= 5, 'five requests');
    expect(connections()).toBe(requests.length);
    expect(engine.status(handle)).toMatchObject({ state: 'ok', consecutiveFailed: 0 });
  });

  it('that die with a request on them are replaced once, and then the server has failed', async () => {
    const { port, requests } = await serve((socket, _request, connection) => {
      if (connection === 1 && requests.length === 1) socket.write(RESPONSE);
      else socket.destroy();
    });
    const engine = openPortable();
    const [handle = 0] = engine.add([
      target('a', httpCheck(port, { keepAlive: true }), { periodMs: 300, timeoutMs: 290 }),
    ]);
    await eventually(() => engine.status(handle).consecutiveFailed === 1, 'a failure');
    expect(requests).toHaveLength(3);
  });

  it('are closed with their target', async () => {
    let open = 0;
    const { port } = await serve((socket) => {
      socket.write(RESPONSE);
      if (socket.listenerCount('close') < 2) {
        open += 1;
        socket.on('close', () => {
          open -= 1;
        });
      }
    });
    const engine = openPortable();
    const [handle = 0] = engine.add([
      target('a', httpCheck(port, { keepAlive: true }), {
        periodMs: 10_000,
        timeoutMs: 5000,
        initialDelayMs: 0,
      }),
    ]);
    engine.update([
      { handle, timing: target('a', httpCheck(port), { periodMs: 300, timeoutMs: 290 }).timing },
    ]);
    await eventually(() => engine.status(handle).state === 'ok', 'ok');
    expect(open).toBe(1);
    engine.remove([handle]);
    await vi.waitFor(() => expect(open).toBe(0), PATIENCE_MS);
  });
});

describe('other places', () => {
  it('a Unix socket is asked as localhost', async () => {
    const path = join(testFolder(), 'http.sock');
    const requests: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes: Buffer) => {
        requests.push(bytes.toString());
        socket.end(RESPONSE);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    const http = { scheme: 'http', port: 80, path: '/v1', headers: [['Accept', '']] } as const;
    const result = await openPortable().probeOnce(
      { kind: 'httpGet', endpoint: { unix: path }, http },
      { timeoutMs: 5000 },
    );
    expect(result).toMatchObject({ outcome: OK, details: { status: 200, bodyBytes: 2 } });
    expect(requests[0]).toMatch(/^GET \/v1 HTTP\/1\.1\r\nHost: localhost\r\n/);
    expect(requests[0]).not.toContain('Accept');
  });

  it('a Unix socket that nobody has is refused', async () => {
    const http = { scheme: 'http', port: 80, path: '/', headers: [] } as const;
    const check = { kind: 'httpGet', endpoint: { unix: join(testFolder(), 'no') }, http } as const;
    const { outcome } = await openPortable().probeOnce(check, { timeoutMs: 5000 });
    expect(outcome).toEqual(failed('connection-refused'));
  });

  it('a server is asked by the name of the host option, at the endpoint', async () => {
    const { port, requests } = await serve((socket) => socket.write(RESPONSE));
    await openPortable().probeOnce(httpCheck(port, { host: 'app.example' }), { timeoutMs: 5000 });
    expect(requests[0]).toContain(`\r\nHost: app.example:${port}\r\n`);
  });
});

describe('wrong plans', () => {
  it.each<[Partial<HttpGetOptions>, string]>([
    [{ expect: { bodyRegex: '(' } }, 'check: http.expect.bodyRegex'],
    [{ scheme: 'https', verify: true }, 'check: http.verify needs caPem'],
    [{ host: 'a b' }, 'check: http.host: must be a host name'],
    [{ scheme: 'https', host: '-' }, 'check: http.host: is not a name that TLS can ask for'],
  ])('%j is refused by its field', async (options, text) => {
    const probe = openPortable().probeOnce(httpCheck(80, options), { timeoutMs: 1000 });
    await expect(probe).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining(text),
    });
  });
});
