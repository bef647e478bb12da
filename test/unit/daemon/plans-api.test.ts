import { describe, expect, it } from 'vitest';
import { serve } from './helpers.js';

const plan = { idempotency_key: 'k', actions: [{ operation_id: 'a', operation: 'START', vm_id: 'web' }] };

describe('plans over HTTP', () => {
  it('are taken, told, and listed', async () => {
    const { post, get } = await serve();
    expect(await post('/v1/plans', { ...plan, author: 'ann@1' })).toMatchObject({
      status: 200,
      json: { planId: 'plan-1', idempotencyKey: 'k', author: 'ann@1000 (says ann@1)' },
    });
    expect(await get('/v1/plans/plan-1')).toMatchObject({ status: 200, json: { planId: 'plan-1' } });
    expect(await get('/v1/plans')).toMatchObject({ status: 200, json: { plans: [{ planId: 'plan-1' }] } });
    expect(await get('/v1/plans/none')).toMatchObject({ status: 400 });
  });

  it('are looked at only in a dry run', async () => {
    const { post, get } = await serve();
    expect(await post('/v1/plans', { ...plan, dry_run: true })).toMatchObject({
      status: 200,
      json: { dryRun: true, actions: [{ operationId: 'a', would: 'nothing' }] },
    });
    expect(await get('/v1/plans')).toMatchObject({ json: { plans: [] } });
  });

  it('may name their site, which is this host', async () => {
    const { post, get } = await serve();
    expect(await post('/v1/sites/host-1/plans', plan)).toMatchObject({
      status: 200,
      json: { planId: 'plan-1' },
    });
    expect(await post('/v1/sites/host-2/plans', plan)).toMatchObject({
      status: 400,
      json: { error: { message: expect.stringContaining('this is the site host-1, not host-2') } },
    });
    expect(await get('/v1/plans')).toMatchObject({ json: { plans: [{}] } });
  });

  it('are refused when they do not fit', async () => {
    const { post } = await serve();
    expect(await post('/v1/plans', { actions: [] })).toMatchObject({
      status: 400,
      json: { error: { code: 'ERR_VMPULSE_ARGUMENT' } },
    });
  });
});
