import fc from 'fast-check';

/** Names that somebody with bad intentions gives. */
export const hostileName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '../../../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e',
    '/etc/shadow',
    'web-1/../../x',
    'default/web-1',
    'web-1',
    '__proto__',
    'constructor',
    '*',
    '-rf',
    ' ',
    '\0',
    '\u001b[2J',
    '\u202e',
    "'; DROP TABLE entries; --",
    '$(reboot)',
    'a'.repeat(5000),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.stringMatching(/^[a-z0-9-]{1,20}$/),
);

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, -1, 1e308, [], {}, '', { __proto__: { admin: true } }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.integer(), { maxLength: 5 }),
  fc.constant('x'.repeat(70_000)),
);

/** Values that fit a JSON schema, or almost: now and then a part of them is junk. */
export function arbitraryOf(schema: unknown): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: fitting(Object(schema)), weight: 9 }, { arbitrary: junk, weight: 1 });
}

function fitting(schema: Record<string, unknown>): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return fc.oneof(...choices.map(arbitraryOf));
  switch (schema.type) {
    case 'object':
      return objects(schema);
    case 'array':
      return fc.array(arbitraryOf(schema.items), { minLength: Number(schema.minItems ?? 0), maxLength: 4 });
    case 'string':
      return fc.oneof(hostileName, matching(schema.pattern));
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer(), fc.double());
    case 'boolean':
      return fc.boolean();
    default:
      return junk;
  }
}

function matching(pattern: unknown): fc.Arbitrary<string> {
  // fast-check makes no text for an expression that looks ahead.
  const isPlain = typeof pattern === 'string' && !pattern.includes('(?');
  return isPlain ? fc.stringMatching(new RegExp(pattern)) : fc.string({ maxLength: 20 });
}

function objects({ properties = {}, required }: Record<string, unknown>): fc.Arbitrary<unknown> {
  const members = Object.entries(Object(properties)).map(
    ([key, schema]) => [key, arbitraryOf(schema)] as const,
  );
  const requiredKeys = Array.isArray(required) ? required.map(String) : [];
  return fc.record(Object.fromEntries(members), { requiredKeys });
}
