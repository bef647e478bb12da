import { type ApiOptions, get, type Route, wholeQuery } from '../api-route.js';

/** Entries in one answer, at most. */
const PAGE = 1_000;

/** The journal, page by page. */
export function journalRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/journal', async (c) => {
      const afterSeq = wholeQuery(c, 'after', 0, Number.MAX_SAFE_INTEGER);
      const limit = wholeQuery(c, 'limit', PAGE, PAGE);
      return c.json({ entries: await runtime.journal({ afterSeq, limit }) });
    }),
  ];
}
