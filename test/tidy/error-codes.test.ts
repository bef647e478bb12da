import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { apiFailure } from '../../src/daemon/api-errors.js';
import { ERROR_CODES, type ErrorCode, VmpulseError } from '../../src/model/errors.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Where the codes are listed; that alone gives none to an error. */
const TABLE = 'src/model/errors.ts';
const SOURCE = /\.(ts|mjs|rs|cpp|cc|h|hpp)$/;
const BUILT: ReadonlySet<string> = new Set(['node_modules', 'target', 'build', 'dist']);

function filesUnder(path: string, wanted: RegExp): string[] {
  const full = join(ROOT, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return wanted.test(path) ? [path] : [];
  return readdirSync(full)
    .filter((name) => !BUILT.has(name))
    .flatMap((name) => filesUnder(join(path, name), wanted));
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const mentioned = (text: string) => [...text.matchAll(/ERR_VMPULSE_[A-Z0-9_]+/g)].map(([code]) => code);

const sources = [...filesUnder('src', SOURCE), ...filesUnder('native', SOURCE)];
const texts = ['docs', 'examples', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].flatMap((path) =>
  filesUnder(path, /\.(md|ts|yaml)$/),
);
const codes = Object.keys(ERROR_CODES) as ErrorCode[];

/** Codes that a text gives to errors; questions about one (`isVmpulseError`, `===`) and comments do not count. */
function givenIn(text: string): string[] {
  const rest = text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replace(/isVmpulseError\([^()]*\)/g, '')
    .replace(/[=!]==? ['"]ERR_VMPULSE_[A-Z_]+['"]/g, '');
  return [...rest.matchAll(/['"](ERR_VMPULSE_[A-Z0-9_]+)['"]/g)].flatMap(([, code]) => code ?? []);
}

interface Row {
  readonly meaning: string;
  readonly http: number;
  readonly exit: number;
  readonly remedy: string;
}

const rows = new Map<string, Row>(
  [
    ...read('docs/reference/errors.md').matchAll(/^\| `(ERR_\w+)` \| (.*?) \| (\d+) \| (\d+) \| (.*?) \|$/gm),
  ].map(([, code = '', meaning = '', http, exit, remedy = '']) => [
    code,
    { meaning, http: Number(http), exit: Number(exit), remedy },
  ]),
);

describe('error codes', () => {
  it('saw the sources, the documents and the table', () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(texts.length).toBeGreaterThan(3);
    expect(rows.size).toBeGreaterThan(20);
  });

  it('are all in ERROR_CODES; add a new one there, and to docs/reference/errors.md', () => {
    const known: ReadonlySet<string> = new Set(codes);
    const unknown = [...sources, ...texts].flatMap((path) =>
      mentioned(read(path))
        .filter((code) => !known.has(code))
        .map((code) => `${path}: ${code}`),
    );
    expect(unknown).toEqual([]);
  });

  it('are all given to some error; remove one that nothing throws any more', () => {
    const used = new Set(sources.filter((path) => path !== TABLE).flatMap((path) => givenIn(read(path))));
    expect(codes.filter((code) => !used.has(code))).toEqual([]);
  });

  it('are documented one row each, in the order of the table, with its words', () => {
    expect([...rows.keys()]).toEqual(codes);
    for (const code of codes) expect(rows.get(code)?.meaning).toBe(ERROR_CODES[code]);
  });

  it.each(codes)('%s is documented with the HTTP and exit status that it has, and a remedy', (code) => {
    const error = new VmpulseError(code, 'm');
    expect(rows.get(code)).toMatchObject({ http: apiFailure(error).status, exit: exitCodeOf(error) });
    expect(rows.get(code)?.remedy.length).toBeGreaterThan(10);
  });

  it('would be missed if they were only asked about', () => {
    const asked = `/* 'ERR_VMPULSE_A' */ if (isVmpulseError(e, 'ERR_VMPULSE_B') || c === 'ERR_VMPULSE_C') x(); // 'ERR_VMPULSE_D'`;
    expect(givenIn(asked)).toEqual([]);
    expect(givenIn(`throw new VmpulseError('ERR_VMPULSE_E', 'm')`)).toEqual(['ERR_VMPULSE_E']);
  });
});
