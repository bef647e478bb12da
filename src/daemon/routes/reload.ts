import { type ApiOptions, post, type Route } from '../api-route.js';

/** A reload reads all documents first, which has a deadline of its own. */
const RELOAD_MS = 60_000;

/** Reads the configuration anew. */
export function reloadRoutes({ reload }: ApiOptions): Route[] {
  return [{ ...post('/v1/reload', async (c) => c.json(await reload())), deadlineMs: RELOAD_MS }];
}
