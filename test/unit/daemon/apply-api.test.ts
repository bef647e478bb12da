import { describe, expect, it } from 'vitest';
import { FakeLifecycle } from './fake-lifecycle.js';
import { serve } from './helpers.js';

describe('POST /v1/apply', () => {
  it('takes documents of more than a usual body, and answers what changes', async () => {
    const lifecycle = new FakeLifecycle();
    const { post } = await serve({ lifecycle });
    const files = [{ path: 'a.yaml', text: 'x'.repeat(200_000) }];
    expect(await post('/v1/apply', { files, dryRun: true, author: 'ann@1' })).toMatchObject({
      status: 200,
      json: { dryRun: true, documents: { added: ['a.yaml'] } },
    });
    expect(lifecycle.applied).toMatchObject([{ files, prune: false, dryRun: true }]);
  });

  it.each([
    ['an empty author', { files: [], author: '' }],
    ['no files', { author: 'ann@1' }],
    ['a member that there is not', { files: [], author: 'ann@1', force: true }],
    ['a file without its text', { files: [{ path: 'a.yaml' }], author: 'ann@1' }],
  ])('refuses a body with %s', async (_, body) => {
    const { post } = await serve();
    expect(await post('/v1/apply', body)).toMatchObject({
      status: 400,
      json: { error: { code: 'ERR_VMPULSE_ARGUMENT' } },
    });
  });
});
