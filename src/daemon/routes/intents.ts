import { readBody, vmAndAuthorBody } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

/** What persons want and automation obeys. */
export function intentRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get('/v1/intents', (c) => c.json({ intents: runtime.intents() })),
    post('/v1/intents/clear', async (c) => {
      const { vm, author } = await readBody(c.env.incoming, vmAndAuthorBody);
      await runtime.clearIntents({ vm: vmOrAll(vm, runtime), author });
      return c.json({ intents: runtime.intents() });
    }),
  ];
}
