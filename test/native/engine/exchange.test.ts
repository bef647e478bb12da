import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Endpoint, ProbeEngine } from '../../../src/engine/probe-engine.js';
import type { ExchangeStep, StreamTls } from '../../../src/model/probe.js';
import { testFolder } from '../../fixtures/folder.js';
import { openEngine, within } from './support.js';

const pem = (name: string) => readFileSync(new URL(`../../fakes/certs/${name}.pem`, import.meta.url), 'utf8');
const identity = { cert: pem('good'), key: pem('good.key') };
const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const send = (text: string): ExchangeStep => ({ send: hex(text) });
const wait = (text: string): ExchangeStep => ({ expect: hex(text) });

/** A server on loopback or a Unix socket, closed with its connections when the test ends. */
async function serve(serve: (socket: Socket) => void, where: string = '127.0.0.1'): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  const isPath = where.startsWith('/');
  await new Promise<void>((resolve) =>
    isPath ? server.listen(where, resolve) : server.listen(0, where, resolve),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (typeof address === 'string' || address === null) return { unix: where };
  return { ip: where, port: address.port };
}

/** Answers each line that it knows. */
function answering(answers: Readonly<Record<string, string>>, greeting = '') {
  return (socket: Socket) => {
    let text = '';
    if (greeting !== '') socket.write(greeting);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const answer = answers[text.slice(0, end).trim()];
        text = text.slice(end + 1);
        if (answer !== undefined) socket.write(answer, 'latin1');
      }
    });
  };
}

interface Asked {
  readonly steps: readonly ExchangeStep[];
  readonly tls?: StreamTls;
  readonly caPem?: string;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

function ask(engine: ProbeEngine, endpoint: Endpoint, { timeoutMs = 10_000, caPem, ...exchange }: Asked) {
  const check = {
    kind: 'tcpExchange',
    endpoint,
    exchange,
    ...(caPem === undefined ? {} : { caPem }),
  } as const;
  return within(engine.probeOnce(check, { timeoutMs, debug: true }), 'the result');
}

/** A mail server that upgrades to TLS and then answers once more. */
async function mail(certificate: { readonly cert: string; readonly key: string }): Promise<Endpoint> {
  return serve((socket) => {
    socket.write('220 mx ESMTP\r\n');
    let text = '';
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('EHLO vmpulse\r\n')) socket.write('250-mx\r\n250 STARTTLS\r\n');
      if (!text.endsWith('STARTTLS\r\n')) return;
      socket.off('data', onData);
      socket.write('220 go ahead\r\n');
      const secure = new TLSSocket(socket, {
        isServer: true,
        secureContext: createSecureContext(certificate),
      });
      secure.on('error', () => {});
      secure.on('data', () => secure.write('221 bye\r\n'));
    };
    socket.on('data', onData);
  });
}

const SMTP: readonly ExchangeStep[] = [
  { expectRegex: '^220[^\\n]*\\n' },
  send('EHLO vmpulse\r\n'),
  { expectRegex: '(^|\\n)250 [^\\n]*\\n' },
  send('STARTTLS\r\n'),
  { expectRegex: '^220[^\\n]*\\n' },
  { startTls: true },
  send('QUIT\r\n'),
  wait('221'),
];

describe.each(['native', 'portable'] as const)('the %s engine', (engine) => {
  describe('a conversation', () => {
    it.each(['127.0.0.1', '::1', 'unix'])('goes over %s', async (where) => {
      const endpoint = await serve(
        answering({ PING: '+PONG\r\n' }),
        where === 'unix' ? join(testFolder(), 'redis.sock') : where,
      );
      const steps = [send('PING\r\n'), wait('+PONG\r\n')];
      const result = await ask(openEngine({ engine }), endpoint, { steps });
      expect(result.outcome).toEqual({ result: 'ok' });
      expect(result.debug).toContain('> PING\\r\\n');
    });

    it('waits for a greeting, and is told what came instead', async () => {
      const opened = openEngine({ engine });
      const ssh = await serve(answering({}, 'SSH-2.0-OpenSSH_9.2\r\n'));
      const steps = [{ expectRegex: '^SSH-2\\.0-[^\\n]*\\n' }];
      expect((await ask(opened, ssh, { steps })).outcome).toEqual({ result: 'ok' });
      const other = await serve(answering({}, '220 mx\r\n'));
      const result = await ask(opened, other, { steps });
      expect(result.outcome).toEqual({ result: 'failed', reason: 'bad-body' });
      expect(result.details.message).toBe('step 1 expected /^SSH-2\\.0-[^\\n]*\\n/, not "2"');
    });

    it.each([
      ['silence', () => {}, 'response-timeout', 300],
      ['a close', (socket: Socket) => socket.end(), 'connection-closed', 10_000],
      ['a reset', (socket: Socket) => socket.resetAndDestroy(), 'connection-reset', 10_000],
      ['another answer', (socket: Socket) => socket.write('no\r\n'), 'bad-body', 300],
      ['a flood', (socket: Socket) => socket.write('x'.repeat(1_000_000)), 'response-too-large', 10_000],
    ] as const)('after %s has failed', async (_what, behave, reason, timeoutMs) => {
      const endpoint = await serve(behave);
      const result = await ask(openEngine({ engine }), endpoint, { steps: [wait('yes')], timeoutMs });
      expect(result.outcome).toEqual({ result: 'failed', reason });
    });
  });

  describe('TLS', () => {
    it('begins in mid-conversation, and its certificate is judged', async () => {
      const opened = openEngine({ engine });
      const endpoint = await mail(identity);
      const plain = await ask(opened, endpoint, { steps: SMTP, tls: {} });
      expect(plain).toMatchObject({ outcome: { result: 'ok' }, details: { tlsVersion: 'TLSv1.3' } });
      const tls = { verify: true, serverName: 'zoo.test' };
      const trusted = await ask(opened, endpoint, { steps: SMTP, tls, caPem: pem('ca') });
      expect(trusted.outcome).toEqual({ result: 'ok' });
      const wrong = { verify: true, serverName: 'other.test' };
      const named = await ask(opened, endpoint, { steps: SMTP, tls: wrong, caPem: pem('ca') });
      expect(named.outcome).toEqual({ result: 'failed', reason: 'name-mismatch' });
      const selfSigned = await mail({ cert: pem('self-signed'), key: pem('self-signed.key') });
      const untrusted = await ask(opened, selfSigned, { steps: SMTP, tls, caPem: pem('ca') });
      expect(untrusted.outcome).toEqual({ result: 'failed', reason: 'certificate-untrusted' });
    });

    it('may be all there is to ask, from the start', async () => {
      const server = createTlsServer(identity, (socket) => socket.on('error', () => {}));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void server.close());
      const address = server.address();
      if (typeof address !== 'object' || address === null) throw new Error('not a TCP server');
      const endpoint = { ip: '127.0.0.1', port: address.port };
      const opened = openEngine({ engine });
      expect((await ask(opened, endpoint, { steps: [], tls: {} })).outcome).toEqual({ result: 'ok' });
      const strict = { certificateExpiresWithinDays: 3650 * 10 };
      expect((await ask(opened, endpoint, { steps: [], tls: strict })).outcome).toEqual({
        result: 'failed',
        reason: 'certificate-expired',
      });
    });

    it('fails where the server does not speak it', async () => {
      const endpoint = await serve(answering({}, '220 mx\r\n'));
      const result = await ask(openEngine({ engine }), endpoint, { steps: [], tls: {} });
      expect(result.outcome).toEqual({ result: 'failed', reason: 'handshake-failed' });
    });
  });

  it.each([
    [{ steps: [] }, 'exchange.steps: are missing'],
    [{ steps: [{ expect: '0' }] }, 'exchange.steps[0]: is not bytes in hex'],
    [{ steps: [{ expectRegex: '(a|b)*c.{500}' }] }, 'exchange.steps[0]: needs more than'],
    [{ steps: [], tls: { verify: true } }, 'exchange.tls.verify needs caPem'],
  ] as const)('a wrong script is refused by its field: %j', async (exchange, text) => {
    const check = { kind: 'tcpExchange', endpoint: { ip: '127.0.0.1', port: 80 }, exchange } as const;
    await expect(openEngine({ engine }).probeOnce(check, { timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining(text),
    });
  });
});
