import { z } from 'zod';
import { planSchema } from '../../lifecycle/index.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { executionAnswer, executionsAnswer, planPreviewAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const MAX_BYTES = 4 * 1024 * 1024;
/** A dry run compiles all documents for each VM that would be made. */
const SUBMIT_MS = 120_000;

const planBody = planSchema.safeExtend({ dry_run: z.boolean().default(false) });

/** Plans: what is to be done to VMs, in order, once. */
export function planRoutes({ lifecycle, runtime }: ApiOptions): Route[] {
  const submit = (path: string, summary: string) =>
    post({
      path,
      scope: 'admin',
      summary,
      body: planBody,
      maxBodyBytes: MAX_BYTES,
      answer: z.union([planPreviewAnswer, executionAnswer]),
      deadlineMs: SUBMIT_MS,
      handle: async ({ params: { site }, body: { dry_run, ...plan }, author }) => {
        if (site !== undefined) requireSite(site, runtime.view().host);
        if (dry_run) return { dryRun: true as const, actions: await lifecycle.previewPlan(plan) };
        return lifecycle.submitPlan(plan, author);
      },
    });
  return [
    submit('/v1/plans', 'Begins a plan, or tells of the one with its key, or (dry_run) what it would do.'),
    submit(
      '/v1/sites/:site/plans',
      'The same, for clients that name the site: the host name of this daemon.',
    ),
    get({
      path: '/v1/plans',
      scope: 'read',
      summary: 'The plans of late, newest first.',
      answer: executionsAnswer,
      handle: () => ({ plans: lifecycle.plans() }),
    }),
    get({
      path: '/v1/plans/:id',
      scope: 'read',
      summary: 'One plan, by its id, that of its execution, or its key.',
      answer: executionAnswer,
      handle: ({ params: { id = '' } }) => lifecycle.plan(id),
    }),
  ];
}

/** A plan for another host is not carried out on this one. */
function requireSite(site: string, host: string): void {
  if (site === host) return;
  throw new VmpulseError(
    'ERR_VMPULSE_ARGUMENT',
    `this is the site ${host}, not ${plainText(site)}; send the plan to the daemon of that host`,
  );
}
