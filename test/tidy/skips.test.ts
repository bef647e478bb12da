import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const TESTS = fileURLToPath(new URL('..', import.meta.url));
/** The condition, and what is said instead of a run: the title. */
const CONDITIONAL = /\.(?:skipIf|runIf)\([^;]*?\)\(\s*([`'][^\n]*)/gs;
const SAYS_WHY = /skipped|needs|\$\{left\(/;

const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !name.startsWith('tidy/'))
  .map((name) => join(TESTS, name));

function silentSkips(text: string): string[] {
  return [...text.matchAll(CONDITIONAL)].flatMap(([, title = '']) => (SAYS_WHY.test(title) ? [] : [title]));
}

it('every test that may be left out says why: by context.skip(reason), or in its title', () => {
  expect(files.length).toBeGreaterThan(100);
  const silent = files.flatMap((path) =>
    silentSkips(readFileSync(path, 'utf8')).map((title) => `${relative(TESTS, path)}: ${title}`),
  );
  expect(silent).toEqual([]);
});

it('would notice one that does not', () => {
  expect(silentSkips("it.skipIf(missing)('does something', () => {})")).toEqual([
    "'does something', () => {})",
  ]);
  expect(silentSkips("it.runIf(isRoot)(\n  'does something (skipped: not root)',\n")).toEqual([]);
});
