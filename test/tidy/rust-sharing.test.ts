import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listFiles } from '../../scripts/lib/fresh.mjs';

const ROOT = new URL('../..', import.meta.url).pathname;
const FOLDERS = ['core', 'proto', 'binding'].map((crate) => join(ROOT, 'native/engine', crate, 'src'));
const SOURCES = listFiles(FOLDERS).filter((path) => path.endsWith('.rs'));

/** What would take the proof that no data race exists away from the compiler. */
const UNPROVED = /\bunsafe impl\b|\bstatic mut\b|\bUnsafeCell\b|\btransmute\b/;

it('the compiler proves the engine free of data races: share by Mutex, atomics and channels only', () => {
  expect(SOURCES.length).toBeGreaterThan(50);
  const found = SOURCES.filter((path) => UNPROVED.test(readFileSync(path, 'utf8')));
  expect(found).toEqual([]);
});
