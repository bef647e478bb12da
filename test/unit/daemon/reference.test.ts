import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TokenStore } from '../../../src/daemon/access/token-store.js';
import { apiRoutes } from '../../../src/daemon/routes/registry.js';
import { silentLogger } from '../../../src/model/logger.js';
import { FakeLifecycle } from './fake-lifecycle.js';
import { noNotifier } from './fake-notifier.js';
import { FakeRuntime } from './fake-runtime.js';
import { FakeStore } from './fake-store.js';

const page = readFileSync(new URL('../../../docs/reference/api.md', import.meta.url), 'utf8');

describe('docs/reference/api.md', () => {
  it('lists every route with its scope, and no other', () => {
    const documented = [...page.matchAll(/^\| `(GET|POST) (\S+)` \| ([^|]+) \|/gm)].map(
      ([, method, path, scope]) => `${method} ${path}: ${scope}`,
    );
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
    const served = apiRoutes(options).map(
      ({ method, path, scope }) => `${method} ${path}: ${scope ?? 'own token'}`,
    );
    expect(documented.length).toBeGreaterThan(8);
    expect(documented.toSorted()).toEqual(served.toSorted());
  });
});
