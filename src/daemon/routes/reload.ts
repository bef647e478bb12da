import { reloadAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, post, type Route } from '../api-route.js';

/** A reload reads all documents first, which has a deadline of its own. */
const RELOAD_MS = 60_000;

/** Reads the configuration anew. */
export function reloadRoutes({ reload }: ApiOptions): Route[] {
  return [
    post({
      path: '/v1/reload',
      scope: 'admin',
      summary: 'Reads the configuration again.',
      answer: reloadAnswer,
      deadlineMs: RELOAD_MS,
      handle: () => reload(),
    }),
  ];
}
