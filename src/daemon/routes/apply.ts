import { z } from 'zod';
import { applyAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, post, type Route } from '../api-route.js';

/** Documents of many VMs come in one body. */
const MAX_BYTES = 16 * 1024 * 1024;
/** All documents are read and compiled twice, then loaded. */
const APPLY_MS = 120_000;

const applyBody = z.strictObject({
  files: z.array(z.strictObject({ path: z.string().min(1).max(4096), text: z.string() })).max(10_000),
  prune: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

/** Stores documents and has them take effect, or tells what that would change. */
export function applyRoutes({ lifecycle }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/apply',
      scope: 'admin',
      summary: 'Stores documents and has them take effect, all or none.',
      body: applyBody,
      maxBodyBytes: MAX_BYTES,
      answer: applyAnswer,
      deadlineMs: APPLY_MS,
      handle: ({ body }) => lifecycle.apply(body),
    }),
  ];
}
