import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ExchangeScript, HttpGetOptions } from '../../../src/model/probe.js';
import { testFolder } from '../../fixtures/folder.js';
import { openEngine, within } from './support.js';

const hex = (text: string) => Buffer.from(text).toString('hex');

/** A hypervisor's vsock socket: what it reads, read by read, and what it does then. */
async function hypervisor(behave: (socket: Socket, read: string) => void) {
  const path = join(testFolder(), 'vm.vsock');
  const reads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      reads.push(chunk.toString());
      behave(socket, chunk.toString());
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { endpoint: { hybrid: path, port: 52 }, reads };
}

interface Talk {
  readonly exchange?: ExchangeScript;
  readonly http?: HttpGetOptions;
}

describe.each(['native', 'portable'] as const)('the %s engine', (engine) => {
  function probe(endpoint: { hybrid: string; port: number }, talk: Talk = {}, timeoutMs = 10_000) {
    const check = { kind: 'vsock', endpoint, ...talk } as const;
    return within(openEngine({ engine }).probeOnce(check, { timeoutMs, debug: true }), 'the result');
  }

  const opening = (guest: (socket: Socket, read: string) => void) => (socket: Socket, read: string) => {
    if (read.startsWith('CONNECT')) socket.write('OK 1073741824\n');
    else guest(socket, read);
  };

  describe('the hybrid vsock of a hypervisor', () => {
    it('is asked in one write, and the connection is the answer', async () => {
      const { endpoint, reads } = await hypervisor(opening(() => {}));
      expect((await probe(endpoint)).outcome).toEqual({ result: 'ok' });
      expect(reads).toEqual(['CONNECT 52\n']);
    });

    it('carries a script, which says nothing before it is open', async () => {
      const { endpoint, reads } = await hypervisor(opening((socket, read) => socket.write(`re: ${read}`)));
      const exchange = { steps: [{ send: hex('ping\n') }, { expect: hex('re: ping') }] };
      const result = await probe(endpoint, { exchange });
      expect(result.outcome).toEqual({ result: 'ok' });
      expect(result.debug).toContain('connected to port 52 of the guest');
      expect(reads).toEqual(['CONNECT 52\n', 'ping\n']);
    });

    it('carries HTTP', async () => {
      const { endpoint, reads } = await hypervisor(
        opening((socket) => socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n')),
      );
      const http = { scheme: 'http', port: 80, path: '/healthz', headers: [] } as const;
      const result = await probe(endpoint, { http });
      expect(result).toMatchObject({
        outcome: { result: 'failed', reason: 'bad-status' },
        details: { status: 503 },
      });
      expect(reads[1]).toMatch(/^GET \/healthz HTTP\/1\.1\r\nHost: localhost\r\n/);
    });

    it('hears a guest that speaks right behind the answer, in any cut', async () => {
      const exchange = { steps: [{ expectRegex: '^hello\\n' }] };
      const whole = await hypervisor((socket) => socket.write('OK 1\nhello\n'));
      expect((await probe(whole.endpoint, { exchange })).outcome).toEqual({ result: 'ok' });
      const cut = await hypervisor((socket) => {
        const bytes = [...'OK 1073741824\nhello\n'];
        const next = () => {
          const byte = bytes.shift();
          if (byte !== undefined) socket.write(byte, () => setImmediate(next));
        };
        next();
      });
      expect((await probe(cut.endpoint, { exchange })).outcome).toEqual({ result: 'ok' });
    });

    it.each([
      ['closes', (socket: Socket) => socket.end(), 'connection-refused', 10_000],
      ['resets', (socket: Socket) => socket.destroy(), 'connection-refused', 10_000],
      ['closes within the answer', (socket: Socket) => socket.end('OK 10'), 'connection-refused', 10_000],
      ['hangs, as after pause and resume', () => {}, 'connect-timeout', 300],
      [
        'answers something else',
        (socket: Socket) => socket.write('HTTP/1.1 400 Bad\r\n'),
        'protocol-error',
        10_000,
      ],
      ['floods', (socket: Socket) => socket.write('O'.repeat(1_000_000)), 'protocol-error', 10_000],
      [
        'floods with digits',
        (socket: Socket) => socket.write(`OK ${'1'.repeat(100_000)}`),
        'protocol-error',
        10_000,
      ],
    ] as const)('that %s has failed', async (_what, behave, reason, timeoutMs) => {
      const { endpoint } = await hypervisor(behave);
      const result = await probe(endpoint, {}, timeoutMs);
      expect(result.outcome).toEqual({ result: 'failed', reason });
      expect(String(result.details.message).length).toBeLessThan(200);
    });

    it('is refused where no VM has its socket', async () => {
      const result = await probe({ hybrid: join(testFolder(), 'none.vsock'), port: 52 });
      expect(result.outcome).toEqual({ result: 'failed', reason: 'connection-refused' });
    });
  });

  it.each([
    [{ cid: 0, port: 1 }, {}, 'CID 0 is not between 1 and 4294967294'],
    [{ cid: 3, port: 4294967295 }, {}, 'vsock port 4294967295 is not between'],
    [{ ip: '127.0.0.1', port: 1 }, {}, 'is no vsock'],
  ] as const)('a wrong endpoint is refused: %j', async (endpoint, talk, text) => {
    const check = { kind: 'vsock', endpoint, ...talk } as const;
    await expect(openEngine({ engine }).probeOnce(check, { timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_ARGUMENT',
      message: expect.stringContaining(text),
    });
  });
});
