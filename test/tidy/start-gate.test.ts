import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Each runs behind the pre-start hooks: recoveries in the action runner, the verb of persons by itself. */
const GATED = ['recovery/power-cycle.ts', 'recovery/recreate.ts', 'recovery/start.ts', 'runtime/vm-verbs.ts'];

function filesUnder(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

it('a VMM is started only where its pre-start hooks were asked; let a new place call beforeStart, and list it here', () => {
  const starts = filesUnder(SRC).filter((file) => /\bdriver\.start\(/.test(readFileSync(file, 'utf8')));
  expect(starts.map((file) => relative(SRC, file)).toSorted()).toEqual(GATED);
});
