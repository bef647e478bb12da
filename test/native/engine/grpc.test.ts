import { readFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials, status } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Endpoint } from '../../../src/engine/probe-engine.js';
import type { GrpcCheck, StreamPlace } from '../../../src/model/probe.js';
import { testFolder } from '../../fixtures/folder.js';
import { grpcServer, type Health, STATE } from './grpc-server.js';
import { openEngine, within } from './support.js';

const pem = (name: string) => readFileSync(new URL(`../../fakes/certs/${name}.pem`, import.meta.url));
const plain = () => ServerCredentials.createInsecure();
const secure = (name = 'good') =>
  ServerCredentials.createSsl(null, [{ cert_chain: pem(name), private_key: pem(`${name}.key`) }]);

interface Asked extends GrpcCheck, StreamPlace {
  readonly caPem?: string;
  readonly timeoutMs?: number;
}

function ask(endpoint: Endpoint, { caPem, timeoutMs = 10_000, ...grpc }: Asked = {}) {
  const check = { kind: 'grpc', endpoint, grpc, ...(caPem === undefined ? {} : { caPem }) } as const;
  return within(openEngine().probeOnce(check, { timeoutMs, debug: true }), 'the result');
}

const SERVICES: Readonly<Record<string, Health>> = {
  '': STATE.serving,
  up: STATE.serving,
  down: STATE.notServing,
  starting: STATE.unknown,
  gone: STATE.serviceUnknown,
  secret: { code: status.PERMISSION_DENIED, details: 'not for you' },
  stranger: { code: status.UNAUTHENTICATED, details: 'who are you?' },
  broken: { code: status.INTERNAL, details: 'Üble Störung\n' },
};

describe('a server of grpc-js', () => {
  it.each([
    [{}, { result: 'ok' }, undefined],
    [{ service: 'up' }, { result: 'ok' }, undefined],
    [{ service: 'down' }, { result: 'failed', reason: 'bad-status' }, 'the service is NOT_SERVING'],
    [{ service: 'starting' }, { result: 'failed', reason: 'bad-status' }, 'the service is UNKNOWN'],
    [{ service: 'gone' }, { result: 'failed', reason: 'bad-status' }, 'the service is SERVICE_UNKNOWN'],
    [
      { service: 'other' },
      { result: 'failed', reason: 'bad-status' },
      'gRPC status NOT_FOUND (the server does not know the service): no such service',
    ],
    [
      { service: 'secret' },
      { result: 'failed', reason: 'authentication-failed' },
      'gRPC status PERMISSION_DENIED: not for you',
    ],
    [
      { service: 'stranger' },
      { result: 'failed', reason: 'authentication-failed' },
      'gRPC status UNAUTHENTICATED: who are you?',
    ],
    [
      { service: 'broken' },
      { result: 'failed', reason: 'bad-status' },
      'gRPC status INTERNAL: \\xc3\\x9cble St\\xc3\\xb6rung\\n',
    ],
  ] as const)('asked for %j', async (grpc, outcome, message) => {
    const { port } = await grpcServer({ credentials: plain(), at: '127.0.0.1:0', services: SERVICES });
    const result = await ask({ ip: '127.0.0.1', port }, grpc);
    expect(result.outcome).toEqual(outcome);
    expect(result.details.message).toBe(message);
    expect(result.debug).toContain('> POST /grpc.health.v1.Health/Check of ');
  });

  it('has perhaps no health service', async () => {
    const { port } = await grpcServer({
      credentials: plain(),
      at: '127.0.0.1:0',
      services: {},
      isHealthServed: false,
    });
    const result = await ask({ ip: '127.0.0.1', port });
    expect(result.outcome).toEqual({ result: 'failed', reason: 'bad-status' });
    expect(result.details.message).toContain('gRPC status UNIMPLEMENTED (the server has no health service)');
  });

  it('hears the authority: its own, or the host and port', async () => {
    const server = await grpcServer({ credentials: plain(), at: '127.0.0.1:0', services: SERVICES });
    const endpoint = { ip: '127.0.0.1', port: server.port };
    await ask(endpoint, { port: server.port });
    await ask(endpoint, { host: 'web.example', port: 50_051 });
    await ask(endpoint, { authority: 'shop.example' });
    expect(server.asked).toEqual([`127.0.0.1:${server.port}`, 'web.example:50051', 'shop.example']);
  });

  it('is asked over IPv6 and a Unix socket, too', async () => {
    const six = await grpcServer({ credentials: plain(), at: '[::1]:0', services: SERVICES });
    const port = six.port;
    expect((await ask({ ip: '::1', port }, { port })).outcome).toEqual({ result: 'ok' });
    expect(six.asked).toEqual([`[::1]:${port}`]);
    const path = join(testFolder(), 'grpc.sock');
    const local = await grpcServer({ credentials: plain(), at: `unix:${path}`, services: SERVICES });
    expect((await ask({ unix: path }, { unixSocket: path })).outcome).toEqual({ result: 'ok' });
    expect(local.asked).toEqual(['localhost']);
  });

  it('is asked through the vsock of a hypervisor', async () => {
    const path = join(testFolder(), 'grpc.sock');
    await grpcServer({ credentials: plain(), at: `unix:${path}`, services: SERVICES });
    const hybrid = join(testFolder(), 'vm.vsock');
    const sockets = new Set<Socket>();
    const hypervisor = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', () => {
        const guest = createConnection(path);
        sockets.add(guest);
        guest.on('error', () => {});
        socket.write('OK 1073741824\n');
        socket.pipe(guest).pipe(socket);
      });
    });
    await new Promise<void>((resolve) => hypervisor.listen(hybrid, resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      hypervisor.close();
    });
    const probe = (service: string) => {
      const check = { kind: 'vsock', endpoint: { hybrid, port: 52 }, grpc: { service } } as const;
      return within(openEngine().probeOnce(check, { timeoutMs: 10_000 }), 'the result');
    };
    expect((await probe('up')).outcome).toEqual({ result: 'ok' });
    expect((await probe('down')).outcome).toEqual({ result: 'failed', reason: 'bad-status' });
  });
});

describe('TLS', () => {
  it('asks for HTTP/2, and judges the certificate when told to', async () => {
    const { port } = await grpcServer({ credentials: secure(), at: '127.0.0.1:0', services: SERVICES });
    const endpoint = { ip: '127.0.0.1', port };
    const trusting = await ask(endpoint, { service: 'up', tls: {} });
    expect(trusting).toMatchObject({ outcome: { result: 'ok' }, details: { tlsVersion: 'TLSv1.3' } });
    const caPem = pem('ca').toString();
    const named = { tls: { verify: true, serverName: 'zoo.test' }, caPem };
    expect((await ask(endpoint, named)).outcome).toEqual({ result: 'ok' });
    const wrong = { tls: { verify: true, serverName: 'other.test' }, caPem };
    expect((await ask(endpoint, wrong)).outcome).toEqual({ result: 'failed', reason: 'name-mismatch' });
    const down = await ask(endpoint, { service: 'down', tls: {} });
    expect(down).toMatchObject({
      outcome: { result: 'failed', reason: 'bad-status' },
      details: { tlsVersion: 'TLSv1.3' },
    });
    const plainly = await ask(endpoint);
    expect(plainly.outcome.result).toBe('failed');
    const other = await grpcServer({
      credentials: secure('self-signed'),
      at: '127.0.0.1:0',
      services: SERVICES,
    });
    expect((await ask({ ip: '127.0.0.1', port: other.port }, named)).outcome).toEqual({
      result: 'failed',
      reason: 'certificate-untrusted',
    });
  });

  it('fails where the server speaks only another protocol', async () => {
    const identity = { cert: pem('good'), key: pem('good.key') };
    const server = createTlsServer({ ...identity, ALPNProtocols: ['http/1.1'] }, (socket) =>
      socket.on('error', () => {}),
    );
    server.on('tlsClientError', () => {});
    const port = await listening(server);
    const result = await ask({ ip: '127.0.0.1', port }, { tls: {} });
    expect(result.outcome).toEqual({ result: 'failed', reason: 'handshake-failed' });
  });

  it('has a time-out of its own', async () => {
    const endpoint = await zoo(() => {});
    const result = await ask(endpoint, { tls: {}, timeoutMs: 300 });
    expect(result.outcome).toEqual({ result: 'failed', reason: 'tls-timeout' });
  });
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not a TCP server');
  return address.port;
}

/** A server that does something as soon as it was asked. */
async function zoo(behave: (socket: Socket) => void): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => behave(socket));
  });
  const port = await listening(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { ip: '127.0.0.1', port };
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: readonly number[] | Buffer = [],
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

const SETTINGS = frame(4, 0, 0);
const FULL = Buffer.alloc(16_384);
const says =
  (...frames: readonly Buffer[]) =>
  (socket: Socket) =>
    void socket.write(Buffer.concat(frames));

describe('a server that', () => {
  it.each<[string, (socket: Socket) => void, string, number]>([
    ['says nothing', () => {}, 'response-timeout', 300],
    ['says nothing after its settings', says(SETTINGS), 'response-timeout', 300],
    ['closes', (socket) => socket.end(), 'connection-closed', 10_000],
    ['closes after its settings', (socket) => socket.end(SETTINGS), 'connection-closed', 10_000],
    ['resets', (socket) => socket.resetAndDestroy(), 'connection-reset', 10_000],
    ['resets the stream', says(SETTINGS, frame(3, 0, 1, [0, 0, 0, 8])), 'connection-reset', 10_000],
    ['goes away', says(SETTINGS, frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])), 'connection-closed', 10_000],
    ['answers by HTTP/1.1', (s) => s.write('HTTP/1.1 505 No\r\n\r\n'), 'protocol-error', 10_000],
    ['begins with a ping', says(frame(6, 0, 0, FULL.subarray(8))), 'protocol-error', 10_000],
    ['sends a huge frame', says(SETTINGS, frame(0, 0, 1, Buffer.alloc(16_385))), 'protocol-error', 10_000],
    ['answers 404', says(SETTINGS, frame(1, 5, 1, [0x8d])), 'bad-status', 10_000],
    ['answers without a status', says(SETTINGS, frame(1, 5, 1, [0x88])), 'protocol-error', 10_000],
    ['sends what is no HPACK', says(SETTINGS, frame(1, 5, 1, [0xff, 0xff])), 'protocol-error', 10_000],
    [
      'floods with frames',
      says(SETTINGS, ...Array<Buffer>(20).fill(frame(200, 0, 0, FULL))),
      'response-too-large',
      10_000,
    ],
    [
      'floods with headers',
      says(SETTINGS, frame(1, 0, 1), ...Array<Buffer>(4).fill(frame(9, 0, 1, FULL.subarray(8192)))),
      'response-too-large',
      10_000,
    ],
    [
      'floods with pings',
      says(SETTINGS, ...Array<Buffer>(1000).fill(frame(6, 0, 0, FULL.subarray(0, 8)))),
      'response-too-large',
      10_000,
    ],
  ])('%s has failed', async (_what, behave, reason, timeoutMs) => {
    const result = await ask(await zoo(behave), { timeoutMs });
    expect(result.outcome).toEqual({ result: 'failed', reason });
    expect(String(result.details.message).length).toBeLessThan(300);
  });

  it('drips its answer has answered', async () => {
    const answer = Buffer.concat([
      SETTINGS,
      frame(1, 4, 1, Buffer.from([0x88, 0x0f, 16, 16, ...Buffer.from('application/grpc')])),
      frame(0, 0, 1, [0, 0, 0, 0, 2, 8, 1]),
      frame(1, 5, 1, Buffer.from([0, 11, ...Buffer.from('grpc-status'), 1, 0x30])),
    ]);
    const endpoint = await zoo((socket) => {
      socket.setNoDelay(true);
      const bytes = [...answer];
      const next = () => {
        const byte = bytes.shift();
        if (byte !== undefined) socket.write(Buffer.from([byte]), () => setImmediate(next));
      };
      next();
    });
    expect((await ask(endpoint)).outcome).toEqual({ result: 'ok' });
  });
});

it.each([
  [{ service: 'x'.repeat(257) }, 'grpc.service: is longer than 256 bytes'],
  [{ authority: 'a b' }, 'grpc.authority: is not a host, perhaps with a port'],
  [{ tls: { verify: true } }, 'grpc.tls.verify needs caPem'],
  [{ tls: { serverName: 'a b' } }, 'grpc.tls.serverName: is not a host'],
] as const)('a wrong check is refused by its field: %j', async (grpc, text) => {
  const check = { kind: 'grpc', endpoint: { ip: '127.0.0.1', port: 80 }, grpc } as const;
  await expect(openEngine().probeOnce(check, { timeoutMs: 1000 })).rejects.toMatchObject({
    code: 'ERR_VMPULSE_ARGUMENT',
    message: expect.stringContaining(text),
  });
});
