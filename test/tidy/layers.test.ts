import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Rows from the top; imports point to lower rows only, and folders of one row do not know each other. */
const ROWS: readonly (readonly string[])[] = [
  ['index.ts'],
  ['cli'],
  ['daemon', 'sim', 'doctor', 'bench'],
  ['lifecycle', 'notify'],
  ['runtime'],
  ['discovery'],
  ['config'],
  ['probes', 'recovery', 'hypervisors', 'network', 'images'],
  ['guest-agent'],
  ['engine', 'kernel', 'pool', 'policy'],
  ['addon'],
  ['model'],
];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function filesUnder(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesUnder(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map((match) => ({
    file: relative(SRC, file),
    specifier: match[1] ?? '',
  }));
}

const files = filesUnder(SRC);
const folderOf = (path: string) => path.split('/')[0] ?? path;
const rowOf = (folder: string) => ROWS.findIndex((row) => row.includes(folder));

/** The sibling or upward imports of a file, as sentences that name the remedy. */
function violations({ file, specifier }: Import): string[] {
  if (!specifier.startsWith('.')) return [];
  const target = folderOf(relative(SRC, resolve(SRC, dirname(file), specifier)));
  const from = folderOf(file);
  if (target === from) return [];
  const [fromRow, targetRow] = [rowOf(from), rowOf(target)];
  if (targetRow > fromRow) return [];
  return [
    `${file} imports ${specifier}: ${from} may not know ${target}; move the code down, or pass it in as a port`,
  ];
}

describe('layers', () => {
  it('saw the source files', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(files.some((file) => file.endsWith('policy/index.ts'))).toBe(true);
  });

  it('has every folder of src in the table; add a new one to ROWS where it belongs', () => {
    expect(readdirSync(SRC).filter((name) => rowOf(name) === -1)).toEqual([]);
  });

  it('has imports pointing down only', () => {
    expect(files.flatMap(importsOf).flatMap(violations)).toEqual([]);
  });

  it('would notice an import that points up', () => {
    expect(violations({ file: 'model/vm.ts', specifier: '../policy/index.js' })).toHaveLength(1);
    expect(violations({ file: 'recovery/reset.ts', specifier: '../hypervisors/qemu/index.js' })).toHaveLength(
      1,
    );
  });

  it('keeps src/policy and src/model free of packages and of node:*; pass what they need as an argument', () => {
    const pure = files.filter((file) => ['policy', 'model'].includes(folderOf(relative(SRC, file))));
    const outside = pure.flatMap(importsOf).filter(({ specifier }) => !specifier.startsWith('.'));
    expect(outside).toEqual([]);
  });

  it('keeps the library silent: console, signals and environment belong to src/cli', () => {
    const library = files.filter((file) => folderOf(relative(SRC, file)) !== 'cli');
    const loud = library.filter((file) =>
      /\bconsole\.(log|warn|error|info)\(|process\.(on|once)\(|process\.env\b/.test(
        readFileSync(file, 'utf8'),
      ),
    );
    expect(loud.map((file) => relative(SRC, file))).toEqual([]);
  });
});
