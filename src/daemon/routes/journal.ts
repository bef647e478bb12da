import { z } from 'zod';
import { journalAnswer } from '../answers/journal.js';
import { wholeField } from '../api-bodies.js';
import { type ApiOptions, get, type Route } from '../api-route.js';

/** Entries in one answer, at most. */
const PAGE = 1_000;

const journalQuery = z.strictObject({
  after: wholeField(0, Number.MAX_SAFE_INTEGER),
  limit: wholeField(PAGE, PAGE),
});

/** The journal, page by page. */
export function journalRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/journal',
      scope: 'read',
      summary: 'Entries of the journal, oldest first.',
      query: journalQuery,
      answer: journalAnswer,
      handle: async ({ query: { after, limit } }) => ({
        entries: await runtime.journal({ afterSeq: after, limit }),
      }),
    }),
  ];
}
