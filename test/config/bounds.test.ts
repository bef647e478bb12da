import { describe, expect, it } from 'vitest';
import { KUBEVIRT_TYPES } from '../../src/config/kubevirt-fields.js';
import { compile, problemsOf } from './compile.js';

const problems = (text: string) => problemsOf(() => compile(text));

describe('bounds', () => {
  it('refuse a file that is too large', () => {
    expect(problems('#'.repeat(1_048_577))).toBe(
      '1.yaml:1:1: has 1048577 bytes; split the file, at most 1048576 are read',
    );
  });

  it('refuse too many documents', () => {
    expect(problems('---\na: 1\n'.repeat(1001))).toBe(
      '1.yaml:1:1: has more than 1000 documents; split the file',
    );
  });

  it.each([
    ['lists', `a: ${'['.repeat(100_000)}`],
    ['mappings', '{a: '.repeat(50_000)],
    ['block lists', `${'- '.repeat(100_000)}a`],
    ['block keys', `${'? '.repeat(100_000)}a`],
  ])('refuse absurd nesting of %s without falling over', (_what, text) => {
    expect(problems(text)).toMatch(/^1\.yaml:1:1: is nested deeper than 64 levels; flatten it$/);
  });

  it('refuse nesting that only aliases make deep', () => {
    const chain = Array.from(
      { length: 400 },
      (_, index) => `a${index}: &a${index} [[[${index === 0 ? 'x' : `*a${index - 1}`}]]]`,
    );
    expect(problems(chain.join('\n'))).toMatch(/is nested deeper than 64 levels; flatten it$/);
  });

  it('take a large mapping in linear time', () => {
    const keys = Array.from({ length: 40_000 }, (_, index) => `k${index}: v`);
    expect(problems(keys.join('\n'))).toContain('is of a document that vmpulse does not read');
  });

  it('cut a long list of problems', () => {
    const lines = problems(
      `apiVersion: vmpulse.dev/v1\nkind: VirtualMachineHost\n${'spec: {}\n'.repeat(80)}`,
    ).split('\n');
    expect(lines.length).toBe(51);
    expect(lines.at(-1)).toBe('and 29 more; correct these first');
  });

  it('show no control characters of a file', () => {
    const text = problems('apiVersion: vmpulse.dev/v1\nkind: "\\e[2J"\n"\\e[2J": 1\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });
});

describe("the table of KubeVirt's names", () => {
  it('defines each type that it names, and names each that it defines', () => {
    const named = Object.values(KUBEVIRT_TYPES)
      .flatMap((fields) => fields.split(' '))
      .map((field) => field.split(':')[1]?.replace('[]', ''))
      .filter((type) => type !== undefined && type !== '*' && type !== '{}');
    const defined = Object.keys(KUBEVIRT_TYPES);
    expect([...new Set(named), 'VirtualMachine'].sort()).toEqual([...defined].sort());
    expect(defined.length).toBeGreaterThan(100);
  });

  it('has no field twice in a type', () => {
    for (const [type, fields] of Object.entries(KUBEVIRT_TYPES)) {
      const names = fields.split(' ').map((field) => field.split(':')[0]);
      expect(new Set(names).size, type).toBe(names.length);
    }
  });
});
