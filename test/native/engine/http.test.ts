import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ZOO, zooCheck, zooTimeoutMs } from '../../fakes/http-zoo.js';
import { testFolder } from '../../fixtures/folder.js';
import { openEngine, within } from './support.js';

describe('the zoo of HTTP servers', () => {
  it.each(ZOO.map((zooCase) => [zooCase.name, zooCase] as const))('%s', async (_name, zooCase) => {
    const server = await zooCase.start();
    onTestFinished(() => server.close());
    const engine = openEngine();
    const timeoutMs = zooTimeoutMs(zooCase);
    const result = await within(
      engine.probeOnce(zooCheck(zooCase, server.port), { timeoutMs }),
      'the result',
    );
    expect({ outcome: result.outcome, warnings: result.warnings }).toEqual({
      outcome: zooCase.expected,
      warnings: zooCase.warnings ?? [],
    });
  });
});

it('asks over a Unix socket', async () => {
  const path = join(testFolder(), 'http.sock');
  const requests: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (chunk: Buffer) => {
      requests.push(chunk.toString());
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  const http = { scheme: 'http', port: 80, path: '/v1', headers: [['Accept', '']] } as const;
  const result = await openEngine().probeOnce(
    { kind: 'httpGet', endpoint: { unix: path }, http },
    { timeoutMs: 5000, debug: true },
  );
  expect(result).toMatchObject({ outcome: { result: 'ok' }, details: { status: 200, bodyBytes: 2 } });
  expect(result.debug).toContain('GET /v1');
  expect(requests[0]).toMatch(/^GET \/v1 HTTP\/1\.1\r\nHost: localhost/);
  expect(requests[0]).not.toContain('Accept');
});

it.each([
  [{ scheme: 'http', port: 80, path: '/', headers: [], expect: { bodyRegex: '(' } }, 'http.expect.bodyRegex'],
  [{ scheme: 'https', port: 80, path: '/', headers: [], verify: true }, 'http.verify needs caPem'],
] as const)('a wrong plan is refused by its field: %j', async (http, text) => {
  const check = { kind: 'httpGet', endpoint: { ip: '127.0.0.1', port: 80 }, http } as const;
  const probe = openEngine().probeOnce(check, { timeoutMs: 1000 });
  await expect(probe).rejects.toMatchObject({
    code: 'ERR_VMPULSE_ARGUMENT',
    message: expect.stringContaining(text),
  });
});
