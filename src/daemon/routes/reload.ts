import { z } from 'zod';
import { reloadAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, post, type Route } from '../api-route.js';

/** A reload reads all documents first, which has a deadline of its own. */
const RELOAD_MS = 60_000;

const reloadBody = z.strictObject({ dryRun: z.boolean().default(false) });

/** Reads the configuration anew, or tells what that would change. */
export function reloadRoutes({ reload }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/reload',
      scope: 'admin',
      summary: 'Reads the configuration again.',
      body: reloadBody,
      answer: reloadAnswer,
      deadlineMs: RELOAD_MS,
      handle: ({ body }) => reload(body),
    }),
  ];
}
