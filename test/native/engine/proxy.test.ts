import { createServer } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import { listen, openEngine, tcpServer } from './support.js';

afterEach(() => vi.unstubAllEnvs());

it.each(['native', 'portable'] as const)('the %s engine asks no proxy of the environment', async (engine) => {
  const proxy = await tcpServer();
  let asked = 0;
  proxy.server.on('connection', () => {
    asked += 1;
  });
  for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
  }
  vi.stubEnv('no_proxy', '');
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');
  const port = await listen(createServer((_, response) => response.end('ok')));
  const endpoint = { ip: '127.0.0.1', port };
  const http = { scheme: 'http', port, path: '/', headers: [] } as const;
  const result = await openEngine({ engine }).probeOnce(
    { kind: 'httpGet', endpoint, http },
    { timeoutMs: 10_000 },
  );
  expect(result.outcome).toEqual({ result: 'ok' });
  expect(asked).toBe(0);
});
