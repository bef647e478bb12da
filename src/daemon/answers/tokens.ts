import { z } from 'zod';
import { SCOPES } from '../../model/scope.js';
import { oneOf, shown } from './shown.js';

const token = z.looseObject({
  name: shown,
  scope: oneOf(SCOPES),
  createdAtMs: z.number(),
  expiresAtMs: z.number().nullable(),
  author: shown,
});

export const tokensAnswer = z.looseObject({ tokens: z.array(token) });

/** Only here is the token itself. */
export const newTokenAnswer = token.extend({ token: z.string().regex(/^vmp_[A-Za-z0-9_-]{43}$/) });

export type TokensAnswer = z.output<typeof tokensAnswer>;
