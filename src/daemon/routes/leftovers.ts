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
      handle: async () => ({ ...(await lifecycle.leftovers()) }),
    }),
    post({
      path: '/v1/gc',
      scope: 'admin',
      summary: 'Removes what nobody needs any more.',
      answer: leftoversAnswer,
      handle: async ({ author }) => {
        const found = await lifecycle.collect();
        for (const { path } of found.leftovers) logger.info({ path, author }, 'left over, and removed');
        return { ...found };
      },
    }),
  ];
}
