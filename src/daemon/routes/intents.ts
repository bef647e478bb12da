import { intentsAnswer } from '../answers/recovery.js';
import { vmBody } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route, vmOrAll } from '../api-route.js';

/** What persons want and automation obeys. */
export function intentRoutes({ runtime }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/intents',
      scope: 'read',
      summary: 'What persons want and automation obeys.',
      answer: intentsAnswer,
      handle: () => ({ intents: runtime.intents() }),
    }),
    post({
      path: '/v1/intents/clear',
      scope: 'operate',
      summary: 'Withdraws that of one VM, or of all.',
      body: vmBody,
      answer: intentsAnswer,
      handle: async ({ body: { vm }, author }) => {
        await runtime.clearIntents({ vm: vmOrAll(vm, runtime), author });
        return { intents: runtime.intents() };
      },
    }),
  ];
}
