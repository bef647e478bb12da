import { z } from 'zod';
import { planSchema } from '../../lifecycle/index.js';
import { executionAnswer, executionsAnswer, planPreviewAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const MAX_BYTES = 4 * 1024 * 1024;
/** A dry run compiles all documents for each VM that would be made. */
const SUBMIT_MS = 120_000;

const planBody = planSchema.safeExtend({ dry_run: z.boolean().default(false) });

/** Plans: what is to be done to VMs, in order, once. */
export function planRoutes({ lifecycle }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/plans',
      scope: 'admin',
      summary: 'Begins a plan, or tells of the one with its key, or (dry_run) what it would do.',
      body: planBody,
      maxBodyBytes: MAX_BYTES,
      answer: z.union([planPreviewAnswer, executionAnswer]),
      deadlineMs: SUBMIT_MS,
      handle: async ({ body: { dry_run, ...plan }, author }) =>
        dry_run
          ? { dryRun: true as const, actions: await lifecycle.previewPlan(plan) }
          : lifecycle.submitPlan(plan, author),
    }),
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
