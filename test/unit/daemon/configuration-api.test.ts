import { describe, expect, it } from 'vitest';
import { FakeLifecycle } from './fake-lifecycle.js';
import { serve } from './helpers.js';

const AUTHOR = { author: 'ann@0' };

describe('/v1/config', () => {
  it('shows what holds, of the daemon and of a VM', async () => {
    const { get } = await serve();
    expect(await get('/v1/config')).toMatchObject({
      status: 200,
      json: { vm: null, settings: [{ path: 'logLevel' }] },
    });
    expect(await get('/v1/config/default/web-1')).toMatchObject({
      status: 200,
      json: { vm: 'default/web-1' },
    });
    expect((await get('/v1/config/default/nobody')).status).toBe(404);
  });

  it('changes many settings at once, of VMs by name', async () => {
    const lifecycle = new FakeLifecycle();
    const { post } = await serve({ lifecycle });
    const changes = [
      { vm: 'web-1', path: 'recovery.enabled', value: null },
      { path: 'logLevel', unset: true },
      { vm: 'default/web-1', path: '', unset: true },
    ];
    expect(await post('/v1/config', { changes, forMs: 5, ...AUTHOR })).toMatchObject({
      status: 200,
      json: { dryRun: false },
    });
    expect(lifecycle.changes).toEqual([
      {
        changes: [
          { vm: 'default/web-1', path: 'recovery.enabled', value: null },
          { vm: null, path: 'logLevel' },
          { vm: 'default/web-1', path: '' },
        ],
        forMs: 5,
        reason: '',
        dryRun: false,
        author: 'ann@1000 (says ann@0)',
      },
    ]);
  });

  const deep = JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`);
  it.each([
    ['nothing to change', []],
    ['a value that is missing', [{ path: 'logLevel' }]],
    ['no path', [{ path: '', value: 1 }]],
    ['a path that is none', [{ path: 'a..b', value: 1 }]],
    ['a path into the prototype', [{ path: '__proto__.polluted', value: 1 }]],
    ['a value without a bottom', [{ path: 'logLevel', value: deep }]],
  ])('refuses %s', async (_, changes) => {
    const lifecycle = new FakeLifecycle();
    const { post } = await serve({ lifecycle });
    expect(await post('/v1/config', { changes, ...AUTHOR })).toMatchObject({
      status: 400,
      json: { error: { code: 'ERR_VMPULSE_ARGUMENT' } },
    });
    expect(lifecycle.changes).toEqual([]);
  });

  it('refuses a VM that is not watched', async () => {
    const { post } = await serve();
    const changes = [{ vm: 'nobody', path: 'recovery.enabled', value: true }];
    expect((await post('/v1/config', { changes, ...AUTHOR })).status).toBe(404);
  });
});
