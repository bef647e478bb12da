import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createApi } from '../../../src/daemon/api.js';
import { silentLogger } from '../../../src/model/logger.js';
import { FakeLifecycle } from './fake-lifecycle.js';
import { noNotifier } from './fake-notifier.js';
import { FakeRuntime } from './fake-runtime.js';

const page = readFileSync(new URL('../../../docs/reference/api.md', import.meta.url), 'utf8');

describe('docs/reference/api.md', () => {
  it('lists every route, and no other', () => {
    const documented = [...page.matchAll(/^\| `(GET|POST) (\S+)` \|/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    const api = createApi({
      runtime: new FakeRuntime(),
      lifecycle: new FakeLifecycle(),
      notifier: noNotifier,
      reload: () => Promise.reject(new Error('not asked for')),
      logger: silentLogger,
      isReady: () => true,
      run: 0,
      signal: new AbortController().signal,
    });
    const served = api.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`);
    expect(documented.length).toBeGreaterThan(8);
    expect(documented.toSorted()).toEqual(served.toSorted());
  });
});
