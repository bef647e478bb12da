import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const RUNTIME = new URL('../../src/runtime/', import.meta.url);
const PAGE = fileURLToPath(new URL('../../docs/internals/runtime.md', import.meta.url));

const classes = readdirSync(RUNTIME, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) =>
    [...readFileSync(new URL(name, RUNTIME), 'utf8').matchAll(/^export class (\w+)/gm)].map((match) => ({
      name: match[1] ?? '',
      isTop: !name.includes('/'),
    })),
  );
const rows = [...readFileSync(PAGE, 'utf8').matchAll(/^\| `(\w+)` \| \S/gm)].map((match) => match[1] ?? '');

it('docs/internals/runtime.md has a row for every class of src/runtime, and none that is gone', () => {
  expect(classes.length).toBeGreaterThan(20);
  const top = classes.filter(({ isTop }) => isTop).map(({ name }) => name);
  expect(top.filter((name) => !rows.includes(name))).toEqual([]);
  const all = new Set(classes.map(({ name }) => name));
  expect(rows.filter((name) => !all.has(name))).toEqual([]);
  expect(new Set(rows).size).toBe(rows.length);
});
