import { leftoversAnswer } from '../answers/lifecycle.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

/** What nobody needs any more. */
export function leftoverRoutes({ lifecycle, logger }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/leftovers',
      scope: 'read',
      summary: 'What nobody needs any more.',
      answer: leftoversAnswer,
      handle: async () => ({ leftovers: await lifecycle.leftovers() }),
    }),
    post({
      path: '/v1/gc',
      scope: 'admin',
      summary: 'Removes what nobody needs any more.',
      answer: leftoversAnswer,
      handle: async ({ author }) => {
        const leftovers = await lifecycle.collect();
        for (const { path } of leftovers) logger.info({ path, author }, 'left over, and removed');
        return { leftovers };
      },
    }),
  ];
}
