import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { authorField, readBody } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const MAX_BYTES = 4 * 1024 * 1024;
/** A dry run compiles all documents for each VM that would be made. */
const SUBMIT_MS = 120_000;

/** The members of the plan are looked at where plans are. */
const planBody = z.looseObject({ author: authorField.optional(), dry_run: z.boolean().optional() });

/** Plans: what is to be done to VMs, in order, once. */
export function planRoutes({ lifecycle }: ApiOptions): Route[] {
  return [
    {
      ...post('/v1/plans', async (c) => {
        const { author, dry_run, ...plan } = await readBody(c.env.incoming, planBody, MAX_BYTES);
        if (dry_run) return c.json({ dryRun: true, actions: await lifecycle.previewPlan(plan) });
        return c.json(await lifecycle.submitPlan(plan, author ?? 'api'));
      }),
      deadlineMs: SUBMIT_MS,
    },
    get('/v1/plans', (c) => c.json({ plans: lifecycle.plans() })),
    get('/v1/plans/:id', (c) => {
      const id = c.req.param('id');
      if (id === undefined) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', 'which plan?');
      return c.json(lifecycle.plan(id));
    }),
  ];
}
