import { z } from 'zod';
import { get, type Route } from '../api-route.js';
import { openApiOf } from '../openapi.js';

const openApiAnswer = z.looseObject({
  openapi: z.string(),
  info: z.looseObject({
    title: z.string(),
    version: z.string(),
    summary: z.string(),
    description: z.string(),
  }),
  paths: z.record(z.string(), z.unknown()),
  components: z.looseObject({}),
});

/** The description of all routes, itself included. */
export function openApiRoutes(allRoutes: () => readonly Route[]): Route[] {
  return [
    get({
      path: '/v1/openapi.json',
      scope: 'read',
      summary: 'This API as OpenAPI 3.1 describes it.',
      answer: openApiAnswer,
      handle: () => openApiOf(allRoutes()),
    }),
  ];
}
