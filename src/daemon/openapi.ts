import { z } from 'zod';
import { VERSION } from '../runtime/version.js';
import { authorSchema } from './api-bodies.js';
import type { Route } from './api-route.js';

type Json = Readonly<Record<string, unknown>>;

const objectSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
});

const ERROR: Json = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: { code: { type: 'string', pattern: '^ERR_VMPULSE_[A-Z_]+$' }, message: { type: 'string' } },
      required: ['code', 'message'],
    },
  },
  required: ['error'],
};

const FAILED: Json = {
  description: 'It failed, or was refused: the status and the code say how.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

/** The OpenAPI 3.1 description of these routes. */
export function openApiOf(routes: readonly Route[]) {
  const paths = new Map<string, Record<string, unknown>>();
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths.set(path, { ...paths.get(path), [route.method.toLowerCase()]: operationOf(route) });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'vmpulse',
      version: VERSION,
      summary: 'What one daemon of vmpulse tells and does',
      description:
        "On the daemon's Unix socket the kernel says who asks. By TCP there is TLS, and a token or a client certificate. The scope of a request is in x-vmpulse-scope.",
    },
    paths: Object.fromEntries(paths),
    components: { schemas: { Error: ERROR }, securitySchemes: SECURITY_SCHEMES },
  };
}

const SECURITY_SCHEMES: Json = {
  token: { type: 'http', scheme: 'bearer', description: 'A token of `vmpulse token create`.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same token.' },
  heartbeatToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of `vmpulse vm heartbeat-token`.',
  },
  certificate: { type: 'mutualTLS', description: "A certificate of one of the daemon's client authorities." },
};

/** Over TCP one of them; on the socket none. */
const SECURITY = [{ token: [] }, { apiKey: [] }, { certificate: [] }, {}];

function operationOf(route: Route): Json {
  const { method, path, scope, summary, body, maxBodyBytes, deadlineMs } = route;
  return {
    operationId: operationIdOf(method, path),
    summary,
    ...(scope === null
      ? { security: [{ heartbeatToken: [] }] }
      : { security: SECURITY, 'x-vmpulse-scope': scope }),
    ...(typeof deadlineMs === 'number' ? { 'x-vmpulse-deadline-ms': deadlineMs } : {}),
    ...(body === undefined ? {} : { 'x-vmpulse-max-body-bytes': maxBodyBytes }),
    parameters: parametersOf(route),
    ...(body === undefined ? {} : { requestBody: requestBodyOf(body) }),
    responses: { '200': answerOf(route), default: FAILED },
  };
}

/** `POST /v1/vms/:namespace/:name/exec` is `postVmsByNamespaceByNameExec`. */
function operationIdOf(method: string, path: string): string {
  const words = path
    .replace(/^\/v1/, '')
    .replaceAll(':', 'by-')
    .split(/[^A-Za-z0-9]+/);
  const camel = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return method.toLowerCase() + camel.join('');
}

function parametersOf({ path, query, headers }: Route): Json[] {
  const { properties = {}, required = [] } = objectSchema.parse(jsonSchemaOf(query));
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string', minLength: 1 } },
  }));
  const inQuery = Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: 'query', required: required.includes(name), schema },
  }));
  // OpenAPI has Authorization among the security schemes only.
  const others = Object.entries(headers).filter(([name]) => name !== 'authorization');
  const inHeaders = others.map(([name, description]) => ({
    ...{ name, in: 'header', required: false, description, schema: { type: 'string' } },
  }));
  return [...inPath, ...inQuery, ...inHeaders];
}

function requestBodyOf(body: z.ZodType): Json {
  const schema = objectSchema.parse(jsonSchemaOf(body));
  const { author } = objectSchema.parse(jsonSchemaOf(authorSchema)).properties ?? {};
  const whole = { ...schema, properties: { ...schema.properties, author } };
  const required = (schema.required ?? []).length > 0;
  return { required, content: { 'application/json': { schema: whole } } };
}

function answerOf({ answer, summary }: Route): Json {
  const isText = typeof answer === 'string';
  const type = isText ? answer.split(';', 1)[0] : 'application/json';
  const schema = isText ? { type: 'string' } : jsonSchemaOf(answer);
  return { description: summary, content: { [type ?? '']: { schema } } };
}

/** What is on the wire: before a schema has changed anything of it. */
function jsonSchemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}
