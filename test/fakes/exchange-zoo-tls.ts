import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, TLSSocket, type TLSSocketOptions } from 'node:tls';
import type { ExchangeScript, StreamTls } from '../../src/model/probe.js';
import { type ExchangeCase, match, onLines, send, wait } from './exchange-zoo.js';
import { failed, OK } from './http-zoo-verdict.js';

const pem = (name: string) => readFileSync(new URL(`certs/${name}.pem`, import.meta.url), 'utf8');
const CA_PEM = pem('ca');
const NAMED: StreamTls = { verify: true, serverName: 'zoo.test' };
const A_CENTURY_DAYS = 36_500;
const ALERT = '\u0015\u0003\u0003\u0000\u0002\u0002\u0028';
/** The first bytes of a handshake: a record that announces more than ever comes. */
const HALF_A_RECORD = '\u0016\u0003\u0003\u0000\u007a\u0002\u0000\u0000\u0076\u0003\u0003';

type Talk = (tls: TLSSocket) => void;

const bye: Talk = (tls) => onLines(tls, () => tls.write('221 bye\r\n'));

/** Encrypts a connection from here on, as a server. */
function secure(
  socket: Socket,
  certificate: string,
  talk: Talk = bye,
  { requestCert, ...more }: SecureContextOptions & Pick<TLSSocketOptions, 'requestCert'> = {},
): void {
  const identity = { cert: pem(certificate), key: pem(`${certificate}.key`) };
  const tls = new TLSSocket(socket, {
    isServer: true,
    secureContext: createSecureContext({ ...identity, ...more }),
    ...(requestCert === undefined ? {} : { requestCert, rejectUnauthorized: true }),
  });
  tls.on('error', () => tls.destroy());
  talk(tls);
}

/** What there is to ask within TLS. */
const quit = (tls: StreamTls): ExchangeScript => ({ steps: [send('QUIT\r\n'), wait('221')], tls });

const first = (
  name: string,
  expected: ExchangeCase['expected'],
  serve: ExchangeCase['serve'],
  more: Partial<ExchangeCase> = {},
): ExchangeCase => ({ name: `TLS, ${name}`, script: quit({}), caPem: CA_PEM, expected, serve, ...more });

const FROM_THE_START: readonly ExchangeCase[] = [
  first('not verified', OK, (socket) => secure(socket, 'self-signed')),
  first('verified', OK, (socket) => secure(socket, 'good'), { script: quit(NAMED) }),
  first('expired', failed('certificate-expired'), (socket) => secure(socket, 'expired'), {
    script: quit(NAMED),
  }),
  first('wrong name', failed('name-mismatch'), (socket) => secure(socket, 'wrong-name'), {
    script: quit(NAMED),
  }),
  first('untrusted', failed('certificate-untrusted'), (socket) => secure(socket, 'self-signed'), {
    script: quit(NAMED),
  }),
  first('ends within a century', failed('certificate-expired'), (socket) => secure(socket, 'good'), {
    script: quit({ certificateExpiresWithinDays: A_CENTURY_DAYS }),
  }),
  first('nothing to say', OK, (socket) => secure(socket, 'good'), { script: { steps: [], tls: {} } }),
  first('1.2', OK, (socket) => secure(socket, 'good', bye, { maxVersion: 'TLSv1.2' })),
  first('1.1', failed('handshake-failed'), (socket) =>
    secure(socket, 'good', bye, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }),
  ),
  first('another answer', failed('bad-body'), (socket) =>
    secure(socket, 'good', (tls) => onLines(tls, () => tls.end('554 no\r\n'))),
  ),
  first('closed after the question', failed('connection-closed'), (socket) =>
    secure(socket, 'good', (tls) => onLines(tls, () => tls.end())),
  ),
  first(
    'silent after the question',
    failed('response-timeout'),
    (socket) => secure(socket, 'good', (tls) => tls.resume()),
    {
      waits: true,
    },
  ),
  first('flood', failed('response-too-large'), (socket) =>
    secure(socket, 'good', (tls) => onLines(tls, () => tls.write('x'.repeat(1024 * 1024)))),
  ),
  first('plain text', failed('handshake-failed'), (socket) => socket.resume().write('220 mx\r\n')),
  first('alert', failed('handshake-failed'), (socket) =>
    socket.once('data', () => socket.end(ALERT, 'latin1')),
  ),
  first('silent', failed('tls-timeout'), (socket) => socket.resume(), { waits: true }),
  first(
    'half a record',
    failed('tls-timeout'),
    (socket) => socket.once('data', () => socket.write(HALF_A_RECORD, 'latin1')),
    { waits: true },
  ),
  first('closed before', failed('connection-closed'), (socket) => socket.resume().end()),
  first('closed within', failed('handshake-failed'), (socket) =>
    socket.once('data', () => socket.end(HALF_A_RECORD, 'latin1')),
  ),
  first(
    'reset within',
    failed('connection-reset'),
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    { tcpOnly: true },
  ),
];

const UPGRADE = [
  match('^220[^\\n]*\\n'),
  send('STARTTLS\r\n'),
  match('^220[^\\n]*\\n'),
  { startTls: true },
] as const;
const upgraded = (tls: StreamTls): ExchangeScript => ({ steps: [...UPGRADE, ...quit(tls).steps], tls });

/** Greets, and does what it does when it is asked to encrypt. */
const mail = (onStartTls: (socket: Socket) => void) => (socket: Socket) => {
  socket.write('220 mx\r\n');
  socket.once('data', () => onStartTls(socket));
};
const goes = (certificate: string, talk?: Talk) =>
  mail((socket) => {
    socket.write('220 go\r\n');
    secure(socket, certificate, talk);
  });
/** Says something else behind its "go", and then encrypts as if nothing had been. */
const slipsIn = (text: string) =>
  mail((socket) => {
    socket.write(`220 go\r\n${text}`);
    secure(socket, 'good');
  });

/** Calls back once so many bytes have come; those behind stay in the socket. */
function afterBytes(socket: Socket, count: number, then: () => void): void {
  let left = count;
  const onData = (bytes: Buffer): void => {
    left -= bytes.length;
    if (left > 0) return;
    socket.off('data', onData).pause();
    if (left < 0) socket.unshift(bytes.subarray(left));
    then();
  };
  socket.on('data', onData);
}

const later = (
  name: string,
  expected: ExchangeCase['expected'],
  serve: ExchangeCase['serve'],
  more: Partial<ExchangeCase> = {},
): ExchangeCase => ({
  name: `STARTTLS, ${name}`,
  script: upgraded({}),
  caPem: CA_PEM,
  expected,
  serve,
  ...more,
});

const IN_MID_CONVERSATION: readonly ExchangeCase[] = [
  later('not verified', OK, goes('self-signed')),
  later('verified', OK, goes('good'), { script: upgraded(NAMED) }),
  later('expired', failed('certificate-expired'), goes('expired'), { script: upgraded(NAMED) }),
  later('wrong name', failed('name-mismatch'), goes('wrong-name'), { script: upgraded(NAMED) }),
  later('untrusted', failed('certificate-untrusted'), goes('self-signed'), { script: upgraded(NAMED) }),
  later('nothing to say behind it', OK, goes('good'), { script: { steps: UPGRADE, tls: {} } }),
  later('begun by what is sent', OK, (socket) => afterBytes(socket, 4096, () => secure(socket, 'good')), {
    script: { steps: [send('x'.repeat(4096)), { startTls: true }, ...quit({}).steps], tls: {} },
  }),
  later(
    'another answer behind it',
    failed('bad-body'),
    goes('good', (tls) => onLines(tls, () => tls.end('554 no\r\n'))),
  ),
  later(
    'refused',
    failed('bad-body'),
    mail((socket) => socket.write('454 no TLS\r\n')),
  ),
  later(
    'refused by the end',
    failed('connection-closed'),
    mail((socket) => socket.end()),
  ),
  later('a reply slipped in', failed('handshake-failed'), slipsIn('221 bye\r\n')),
  later('a byte slipped in', failed('handshake-failed'), slipsIn('2')),
  later(
    'a byte slipped in, then silence',
    failed('handshake-failed'),
    mail((socket) => socket.resume().write('220 go\r\n2')),
  ),
  later(
    'a byte slipped in, then the end',
    failed('handshake-failed'),
    mail((socket) => socket.resume().end('220 go\r\n2')),
  ),
  later(
    'plain text behind it',
    failed('handshake-failed'),
    mail((socket) => {
      socket.once('data', () => socket.write('221 bye\r\n'));
      socket.write('220 go\r\n');
    }),
  ),
  later(
    'silent behind it',
    failed('tls-timeout'),
    mail((socket) => socket.resume().write('220 go\r\n')),
    {
      waits: true,
    },
  ),
  later(
    'closed behind it',
    failed('connection-closed'),
    mail((socket) => socket.resume().end('220 go\r\n')),
  ),
  later(
    'reset behind it',
    failed('connection-reset'),
    mail((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
      socket.write('220 go\r\n');
    }),
    { tcpOnly: true },
  ),
];

/** Conversations that are encrypted, from the start or from a step on. */
export const TLS_EXCHANGES: readonly ExchangeCase[] = [...FROM_THE_START, ...IN_MID_CONVERSATION];
