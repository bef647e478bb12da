import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';

const operation = z.looseObject({
  parameters: z.array(
    z.looseObject({ name: z.string(), in: z.enum(['path', 'query', 'header']), schema: z.unknown() }),
  ),
  requestBody: z
    .looseObject({ content: z.object({ 'application/json': z.object({ schema: z.unknown() }) }) })
    .optional(),
  responses: z.object({
    '200': z.looseObject({ content: z.record(z.string(), z.object({ schema: z.unknown() })) }),
    default: z.unknown(),
  }),
});
const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.enum(['get', 'post']), operation.optional())),
  components: z.looseObject({ schemas: z.object({ Error: z.unknown() }) }),
});

export type Operation = z.output<typeof operation>;

/** One operation with its place. */
export interface Described {
  readonly method: 'GET' | 'POST';
  /** With `{name}` where a name stands. */
  readonly path: string;
  readonly operation: Operation;
}

/** The operations of an OpenAPI document, and whether answers are as it says. */
export class OpenApiCheck {
  readonly operations: readonly Described[];
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #errorSchema: unknown;

  constructor(document: unknown) {
    const { paths, components } = documentSchema.parse(document);
    this.#errorSchema = components.schemas.Error;
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, found]) =>
        found === undefined
          ? []
          : [{ method: method === 'get' ? ('GET' as const) : ('POST' as const), path, operation: found }],
      ),
    );
  }

  /** What is wrong with an answer, members that are not described included; empty: nothing. */
  problems(
    { operation: { responses } }: Described,
    answer: { readonly status: number; readonly type: string; readonly body: unknown },
  ): readonly string[] {
    if (answer.status !== 200) return this.#mismatches(this.#errorSchema, answer.body);
    const [type = '', { schema } = { schema: {} }] = Object.entries(responses['200'].content)[0] ?? [];
    if (!answer.type.startsWith(type)) return [`is ${answer.type}, not ${type}`];
    return this.#mismatches(type === 'application/json' ? closed(schema) : schema, answer.body);
  }

  #mismatches(schema: unknown, value: unknown): readonly string[] {
    const validate = this.#ajv.compile(Object(schema));
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

/** The schema with no room for members that it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema).map(([key, value]) => [key, closed(value)] as const);
  const copy: Record<string, unknown> = Object.fromEntries(members);
  const isOpen = JSON.stringify(copy.additionalProperties) === '{}';
  return isOpen && copy.properties !== undefined && !isEmpty(copy.properties)
    ? { ...copy, additionalProperties: false }
    : copy;
}

function isEmpty(value: unknown): boolean {
  return Object.keys(Object(value)).length === 0;
}
