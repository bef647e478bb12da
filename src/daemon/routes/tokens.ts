import { z } from 'zod';
import { SCOPES } from '../../model/scope.js';
import { newTokenAnswer, tokensAnswer } from '../answers/tokens.js';
import { periodField } from '../api-bodies.js';
import { type ApiOptions, get, post, type Route } from '../api-route.js';

const nameField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be up to 63 letters, digits, ., - and _');
const createBody = z.strictObject({
  name: nameField,
  scope: z.enum(SCOPES),
  forMs: periodField.optional(),
});

/** Tokens of clients that come by TCP. */
export function tokenRoutes({ tokens }: ApiOptions): Route[] {
  return [
    get({
      path: '/v1/tokens',
      scope: 'admin',
      summary: 'The tokens of clients that come by TCP, without themselves.',
      answer: tokensAnswer,
      handle: async () => ({ tokens: await tokens.list() }),
    }),
    post({
      path: '/v1/tokens/create',
      scope: 'admin',
      summary: 'Makes a token, which is told only here.',
      body: createBody,
      answer: newTokenAnswer,
      handle: async ({ body: { forMs = null, ...body }, author }) => {
        const { token, view } = await tokens.create({ ...body, forMs, author });
        return { ...view, token };
      },
    }),
    post({
      path: '/v1/tokens/revoke',
      scope: 'admin',
      summary: 'Takes a token back at once.',
      body: z.strictObject({ name: nameField }),
      answer: tokensAnswer,
      handle: async ({ body: { name }, author }) => {
        await tokens.revoke(name, author);
        return { tokens: await tokens.list() };
      },
    }),
  ];
}
