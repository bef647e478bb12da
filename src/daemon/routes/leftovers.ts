import { z } from 'zod';
import { authorField, readBody } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const body = z.strictObject({ author: authorField });

/** What nobody needs any more. */
export function leftoverRoutes({ lifecycle, logger }: ApiOptions): Route[] {
  return [
    get('/v1/leftovers', async (c) => c.json({ leftovers: await lifecycle.leftovers() })),
    post('/v1/gc', async (c) => {
      const { author } = await readBody(c.env.incoming, body);
      const leftovers = await lifecycle.collect();
      for (const { path } of leftovers) logger.info({ path, author }, 'left over, and removed');
      return c.json({ leftovers });
    }),
  ];
}
