import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describedProgram } from '../../src/cli/program.js';
import { COMMANDS } from '../../src/cli/registry.js';

const CLI = fileURLToPath(new URL('../../src/cli', import.meta.url));
/** `import … from`, `export … from` and `import '…'`, without those of types. */
const STATIC =
  /^(?:import|export)\s+(?!type\b)(?:(?<names>[^'";]+?)\s+from\s+)?['"](?<specifier>[^'"]+)['"];/gm;
const PACKAGE = /^(?:@[^/]+\/)?[^/]+/;

/** What a file imports before it runs; `import(…)` in a function comes later. */
function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(STATIC)].flatMap(({ groups }) => {
    const { names = '', specifier = '' } = groups ?? {};
    const only = /^\{([^}]*)\}$/.exec(names.trim())?.[1]?.split(',');
    const isOfTypes = only?.every((name) => name.trim() === '' || name.trim().startsWith('type '));
    return isOfTypes ? [] : [specifier];
  });
}

/** Everything that is loaded with a file: our files by their path below src, packages by their name. */
function loadedWith(start: string): ReadonlySet<string> {
  const files = new Set([resolve(CLI, start)]);
  const packages = new Set<string>();
  for (const file of files)
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('.')) files.add(resolve(dirname(file), specifier).replace(/\.js$/, '.ts'));
      else if (!specifier.startsWith('node:')) packages.add(PACKAGE.exec(specifier)?.[0] ?? specifier);
    }
  const ours = [...files].map((file) => file.slice(dirname(CLI).length + 1));
  return new Set([...ours, ...packages]);
}

const packagesOf = (loaded: ReadonlySet<string>) =>
  [...loaded].filter((name) => !name.endsWith('.ts')).sort();
/** The folders of src that have something in it. */
const foldersOf = (loaded: ReadonlySet<string>) =>
  [...new Set([...loaded].filter((name) => name.endsWith('.ts')).map((name) => name.split('/')[0]))].sort();

const fileOf = (command: string) => `commands/${command}.ts`;

describe('the start of a command', () => {
  it('loads no package but that of the command line, and no command, before it is known which one', () => {
    const loaded = loadedWith('main.ts');
    expect(packagesOf(loaded)).toEqual(['commander']);
    expect(foldersOf(loaded)).toEqual(['cli', 'model', 'runtime']);
    expect([...loaded].filter((name) => name.startsWith('cli/commands/'))).toEqual([]);
  });

  it('loads what a command does when it runs: until then what its options need', () => {
    const own: Readonly<Record<string, readonly string[]>> = { probe: ['re2js'] };
    for (const name of Object.keys(COMMANDS)) {
      expect(existsSync(resolve(CLI, fileOf(name))), `${name} is in ${fileOf(name)}`).toBe(true);
      const allowed = ['commander', 'zod', ...(own[name] ?? [])];
      const others = packagesOf(loadedWith(fileOf(name))).filter((one) => !allowed.includes(one));
      expect(others, `${name}: import(…) these where they are used`).toEqual([]);
    }
  });

  it('finds each command by its own name', async () => {
    const { commands } = await describedProgram();
    expect(commands.map((command) => command.name())).toEqual(Object.keys(COMMANDS));
  });

  it('would notice a package that is loaded too early', () => {
    expect(packagesOf(loadedWith('client.ts'))).toContain('zod');
    expect(foldersOf(loadedWith('probe-target.ts'))).toContain('engine');
  });
});
