import { readFileSync } from 'node:fs';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { ZooCase } from './http-zoo.js';
import { afterRequest, listen, pair, says, saysAndStays, tcp, type ZooServer } from './http-zoo-server.js';
import { failed, OK } from './http-zoo-verdict.js';

const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CA_PEM = pem('ca');
/** Far beyond the end of every certificate of the zoo, in 2099. */
const A_CENTURY_DAYS = 36_500;

function pem(name: string): string {
  return readFileSync(new URL(`certs/${name}.pem`, import.meta.url), 'utf8');
}

/** The first bytes of a handshake: a record that announces more than ever comes. */
const HALF_A_RECORD = '\u0016\u0003\u0003\u0000\u007a\u0002\u0000\u0000\u0076\u0003\u0003';

type Answer = (socket: TLSSocket) => void;

const answersOk: Answer = (socket) => afterRequest(socket, () => socket.end(RESPONSE));

/** A TLS server with a certificate of the zoo. */
async function secure(
  certificate: string,
  answer: Answer = answersOk,
  options: TlsOptions = {},
): Promise<ZooServer> {
  const identity = { cert: pem(certificate), key: pem(`${certificate}.key`) };
  const server = createServer({ ...identity, ...options }, (socket) => {
    socket.on('error', () => socket.destroy());
    answer(socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return await listen(server);
}

const HTTPS = { scheme: 'https' } as const;
const VERIFIED = { ...HTTPS, verify: true } as const;
/** Sets SNI and the name that is verified. */
const NAMED = { headers: [['Host', 'zoo.test']] } as const;

const CERTIFICATES: readonly ZooCase[] = [
  { name: 'TLS, self-signed', http: HTTPS, expected: OK, start: () => secure('self-signed') },
  { name: 'TLS, expired, unverified', http: HTTPS, expected: OK, start: () => secure('expired') },
  {
    name: 'TLS 1.2',
    http: HTTPS,
    expected: OK,
    start: () => secure('good', answersOk, { maxVersion: 'TLSv1.2' }),
  },
  {
    name: 'TLS, verified by address',
    http: VERIFIED,
    caPem: CA_PEM,
    expected: OK,
    start: () => secure('good'),
  },
  {
    name: 'TLS, verified by name',
    http: { ...VERIFIED, ...NAMED },
    caPem: CA_PEM,
    expected: OK,
    start: () => secure('good'),
  },
  {
    name: 'TLS, expired',
    http: VERIFIED,
    caPem: CA_PEM,
    expected: failed('certificate-expired'),
    start: () => secure('expired'),
  },
  {
    name: 'TLS, wrong name',
    http: { ...VERIFIED, ...NAMED },
    caPem: CA_PEM,
    expected: failed('name-mismatch'),
    start: () => secure('wrong-name'),
  },
  {
    name: 'TLS, wrong address',
    http: VERIFIED,
    caPem: CA_PEM,
    expected: failed('name-mismatch'),
    start: () => secure('wrong-name'),
  },
  {
    name: 'TLS, untrusted',
    http: VERIFIED,
    caPem: CA_PEM,
    expected: failed('certificate-untrusted'),
    start: () => secure('self-signed'),
  },
  {
    name: 'TLS, self-signed and in the bundle',
    http: VERIFIED,
    caPem: pem('self-signed'),
    expected: OK,
    start: () => secure('self-signed'),
  },
  {
    name: 'TLS, ends within a century',
    http: { ...VERIFIED, certificateExpiresWithinDays: A_CENTURY_DAYS },
    caPem: CA_PEM,
    expected: failed('certificate-expired'),
    start: () => secure('good'),
  },
  {
    name: 'TLS, does not end within a day',
    http: { ...VERIFIED, certificateExpiresWithinDays: 1 },
    caPem: CA_PEM,
    expected: OK,
    start: () => secure('good'),
  },
  {
    name: 'TLS, only for who asks by name',
    http: { ...HTTPS, ...NAMED },
    expected: OK,
    start: () =>
      secure('good', (socket) =>
        afterRequest(socket, () =>
          socket.servername === 'zoo.test' ? socket.end(RESPONSE) : socket.destroy(),
        ),
      ),
  },
];

const HANDSHAKES: readonly ZooCase[] = [
  {
    name: 'TLS alert',
    http: HTTPS,
    expected: failed('handshake-failed'),
    start: () =>
      tcp((socket) =>
        socket.once('data', () => socket.end('\u0015\u0003\u0003\u0000\u0002\u0002\u0028', 'latin1')),
      ),
  },
  {
    name: 'plain HTTP where TLS is expected',
    http: HTTPS,
    expected: failed('handshake-failed'),
    start: () =>
      tcp((socket) => socket.once('data', () => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
  },
  {
    name: 'TLS for clients with a certificate',
    http: HTTPS,
    expected: failed('handshake-failed'),
    start: () =>
      secure('good', answersOk, {
        requestCert: true,
        rejectUnauthorized: true,
        ca: CA_PEM,
        maxVersion: 'TLSv1.2',
      }),
  },
  {
    name: 'TLS, silent in the handshake',
    http: HTTPS,
    expected: failed('tls-timeout'),
    waits: true,
    start: () => tcp((socket) => socket.resume()),
  },
  {
    name: 'TLS, half a handshake, then silent',
    http: HTTPS,
    expected: failed('tls-timeout'),
    waits: true,
    start: () => tcp((socket) => socket.once('data', () => socket.resume().write(HALF_A_RECORD, 'latin1'))),
  },
  {
    name: 'TLS, closed before the handshake',
    http: HTTPS,
    expected: failed('connection-closed'),
    start: () => tcp((socket) => socket.resume().end()),
  },
  {
    name: 'TLS, closed within the handshake',
    http: HTTPS,
    expected: failed('handshake-failed'),
    start: () => tcp((socket) => socket.once('data', () => socket.resume().end(HALF_A_RECORD, 'latin1'))),
  },
  {
    name: 'TLS, reset within the handshake',
    http: HTTPS,
    expected: failed('connection-reset'),
    start: () => tcp((socket) => socket.once('data', () => socket.resetAndDestroy())),
  },
];

const AFTERWARDS: readonly ZooCase[] = [
  {
    name: 'TLS, silent after the handshake',
    http: HTTPS,
    expected: failed('response-timeout'),
    waits: true,
    start: () => secure('good', (socket) => socket.resume()),
  },
  {
    name: 'TLS, closed after the request',
    http: HTTPS,
    expected: failed('connection-closed'),
    start: () => secure('good', (socket) => afterRequest(socket, () => socket.end())),
  },
  {
    name: 'TLS, a bad status',
    http: HTTPS,
    expected: failed('bad-status'),
    start: () =>
      secure('good', (socket) =>
        afterRequest(socket, () => socket.end('HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n')),
      ),
  },
  {
    name: 'TLS, not HTTP inside',
    http: HTTPS,
    expected: failed('protocol-error'),
    start: () =>
      secure('good', (socket) => afterRequest(socket, () => socket.end('220 mail.test ESMTP\r\n'))),
  },
  {
    name: 'a redirect from http to https',
    http: { expect: { status: [[200, 200]] } },
    expected: OK,
    start: () =>
      pair(
        (port) =>
          says(`HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:${port}/\r\nContent-Length: 0\r\n\r\n`)(),
        () => secure('self-signed'),
      ),
  },
  {
    name: 'a redirect from https to http',
    http: { ...HTTPS, expect: { status: [[200, 200]] } },
    expected: OK,
    start: () =>
      pair(
        (port) =>
          secure('good', (socket) =>
            afterRequest(socket, () =>
              socket.end(
                `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${port}/\r\nContent-Length: 0\r\n\r\n`,
              ),
            ),
          ),
        saysAndStays(RESPONSE),
      ),
  },
];

/** What happens around and inside TLS. */
export const TLS_CASES: readonly ZooCase[] = [...CERTIFICATES, ...HANDSHAKES, ...AFTERWARDS];
