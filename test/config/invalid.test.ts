import { readdirSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileVms } from '../../src/config/compile-config.js';
import { daemonConfig, FACTS, fixture, problemsOf } from './compile.js';

const files = readdirSync(new URL('invalid/', import.meta.url));
const namesOf = (extension: string) =>
  files.filter((file) => extname(file) === extension).map((file) => basename(file, extension));
const cases = namesOf('.yaml');

/** The problems of one case: the daemon's configuration if the name says so, else manifests. */
function problemsOfCase(name: string): string {
  const path = `${name}.yaml`;
  const text = fixture(`invalid/${path}`);
  if (name.startsWith('daemon-')) return problemsOf(() => daemonConfig(text, path));
  return problemsOf(() => compileVms([{ path, text }], daemonConfig(''), FACTS));
}

describe('invalid configuration', () => {
  it('has cases, each with its message', () => {
    expect(cases.length).toBeGreaterThanOrEqual(120);
    expect(namesOf('.txt')).toEqual(cases);
    expect(files.length).toBe(2 * cases.length);
  });

  it.each(cases)('%s', (name) => {
    expect(`${problemsOfCase(name)}\n`).toBe(fixture(`invalid/${name}.txt`));
  });

  it('says file, line, column, what is wrong and a remedy in every line', () => {
    for (const name of cases) {
      for (const line of fixture(`invalid/${name}.txt`).trimEnd().split('\n')) {
        const [, place, text] = /^(\S+:\d+:\d+)(?: \S.*?)?: (.+)$/.exec(line) ?? [];
        expect(place).toMatch(/^[\w.-]+\.yaml:[1-9]\d*:[1-9]\d*$/);
        expect(place?.startsWith(`${name}.yaml:`)).toBe(true);
        expect(text).toMatch(/.+; .+/);
      }
    }
  });
});
