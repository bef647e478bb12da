import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REQUESTS, WRONG_TOKENS } from '../../../src/daemon/access/limits.js';
import { MAX_TOKENS, TokenStore } from '../../../src/daemon/access/token-store.js';
import { DEADLINE_MS } from '../../../src/daemon/api.js';
import { MAX_AUTHOR_CHARS, MAX_REASON_CHARS } from '../../../src/daemon/api-bodies.js';
import { HEARTBEAT_MS, MAX_PENDING_BYTES } from '../../../src/daemon/event-stream.js';
import { MAX_CONNECTIONS, SERVER_BOUNDS } from '../../../src/daemon/http-server.js';
import { CONNECTIONS_PER_GUEST } from '../../../src/daemon/limit-per-address.js';
import { CONNECTIONS_PER_ADDRESS } from '../../../src/daemon/remote-port.js';
import { MAX_STREAMS } from '../../../src/daemon/routes/events.js';
import { apiRoutes } from '../../../src/daemon/routes/registry.js';
import { silentLogger } from '../../../src/model/logger.js';
import { FakeLifecycle } from './fake-lifecycle.js';
import { noNotifier } from './fake-notifier.js';
import { FakeRuntime } from './fake-runtime.js';
import { FakeStore } from './fake-store.js';

const page = readFileSync(new URL('../../../docs/reference/api.md', import.meta.url), 'utf8');

const options = {
  runtime: new FakeRuntime(),
  lifecycle: new FakeLifecycle(),
  notifier: noNotifier,
  reload: () => Promise.reject(new Error('not asked for')),
  logger: silentLogger,
  tokens: new TokenStore(new FakeStore()),
  identify: async () => ({ identity: null, scope: null }),
  isReady: () => true,
  run: 0,
  signal: new AbortController().signal,
};
const routes = apiRoutes(options);

describe('docs/reference/api.md', () => {
  it('lists every route with its scope, and no other', () => {
    const documented = [
      ...page.matchAll(/^\| `(GET|POST) (\S+)` \| (read|operate|admin|own token) \|/gm),
    ].map(([, method, path, scope]) => `${method} ${path}: ${scope}`);
    const served = routes.map(({ method, path, scope }) => `${method} ${path}: ${scope ?? 'own token'}`);
    expect(documented.length).toBeGreaterThan(8);
    expect(documented.toSorted()).toEqual(served.toSorted());
  });

  it('has the bounds of every route that has its own', () => {
    const [, table = ''] = page.split('| Bounds of | Body | Answer within |\n|---|---|---|\n');
    const documented = [...table.matchAll(/^\| `(\S+ \S+)` \| (.+) \| (.+) \|$/gm)].map(
      ([, request, body, time]) =>
        `${request}: ${body}, ${/^\d+ s$/.test(time ?? '') ? time : 'no deadline'}`,
    );
    const usual = `64 KiB, ${DEADLINE_MS / 1000} s`;
    const own = routes
      .filter(({ path }) => !path.includes(':namespace'))
      .map(({ method, path, maxBodyBytes, deadlineMs }) => ({
        request: `${method} ${path}`,
        bounds: `${bodyText(maxBodyBytes)}, ${timeText(deadlineMs)}`,
      }))
      .filter(({ bounds }) => bounds !== usual && bounds !== usual.replace('64 KiB', 'none'));
    expect(documented.toSorted()).toEqual(
      own.map(({ request, bounds }) => `${request}: ${bounds}`).toSorted(),
    );
    expect(page).toContain(`of at most 64 KiB and is answered within ${DEADLINE_MS / 1000} s`);
  });

  it.each([
    `more than ${WRONG_TOKENS.burst} of them hears 429, and one more is counted every ${1 / WRONG_TOKENS.perSecond} s`,
    `more than ${REQUESTS.burst} times at once, or ${REQUESTS.perSecond} times a second`,
    `good for ${REQUESTS.burst} heartbeats at once and ${REQUESTS.perSecond} a second`,
    `${WRONG_TOKENS.burst} wrong tokens are answered with 401, then one every ${1 / WRONG_TOKENS.perSecond} s`,
    `${CONNECTIONS_PER_ADDRESS} connections of one address at once are taken`,
    `one address has at most ${CONNECTIONS_PER_GUEST} connections at once`,
    `Each port takes ${MAX_CONNECTIONS} connections at once`,
    `Headers are at most ${SERVER_BOUNDS.maxHeaderSize / 1024} KiB and must come within ${SERVER_BOUNDS.headersTimeout / 1000} s`,
    `a request with its body within ${SERVER_BOUNDS.requestTimeout / 1000} s`,
    `more than ${MAX_PENDING_BYTES / 1024 ** 2} MiB unread is cut off. ${MAX_STREAMS} clients at once`,
    `A comment every ${HEARTBEAT_MS / 1000} s`,
    `for who listens to events within ${HEARTBEAT_MS / 1000} s`,
    `There are at most ${MAX_TOKENS}.`,
    `in one line of at most ${MAX_AUTHOR_CHARS} characters`,
    `of at most ${MAX_REASON_CHARS} characters`,
  ])('says as the code does: %s', (text) => {
    expect(page.replaceAll(/\s+/g, ' ')).toContain(text);
  });
});

function bodyText(bytes: number): string {
  if (bytes === 0) return 'none';
  return bytes >= 1024 ** 2 ? `${bytes / 1024 ** 2} MiB` : `${bytes / 1024} KiB`;
}

function timeText(deadlineMs: number | null | undefined): string {
  return deadlineMs === null ? 'no deadline' : `${(deadlineMs ?? DEADLINE_MS) / 1000} s`;
}
