import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Look, Pattern } from '../../../src/engine/portable/script/pattern.js';

/** Where a search ends: whole and byte by byte, which must agree. */
function search(pattern: Pattern, bytes: Buffer): string {
  const show = ({ found, used }: Look, before: number) => `${found} ${before + used}`;
  const whole = show(pattern.look(pattern.begin, bytes), 0);
  let state = pattern.begin;
  let cut = `not-yet ${bytes.length}`;
  for (let at = 0; at < bytes.length; at += 1) {
    const look = pattern.look(state, bytes.subarray(at, at + 1));
    state = look.state;
    if (look.found === 'not-yet') continue;
    cut = show(look, at);
    break;
  }
  expect(cut).toBe(whole);
  return whole;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('a text', () => {
  it('is found where it begins within a false start', () => {
    const text = Pattern.text(bytes('aabaaac'), '');
    expect(search(text, bytes('xaabaabaaacx'))).toBe('match 11');
    expect(search(text, bytes('aabaaab'))).toBe('not-yet 7');
    expect(search(Pattern.text(bytes('\0\u00ff'), ''), bytes('\0\0'))).toBe('not-yet 2');
  });

  it('is found where indexOf finds it', () => {
    const letters = (maxLength: number) =>
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength });
    fc.assert(
      fc.property(letters(6), letters(60), (needle, hay) => {
        const at = hay.indexOf(needle);
        const expected = at === -1 ? `not-yet ${hay.length}` : `match ${at + needle.length}`;
        expect(search(Pattern.text(bytes(needle), ''), bytes(hay))).toBe(expected);
      }),
    );
  });
});

describe('an expression', () => {
  it.each([
    ['^220[ -][^\\n]*\\n', '220 mx\r\nmore', 'match 8'],
    ['^220[ -][^\\n]*\\n', '554 no', 'never 1'],
    ['a+', 'xaaa', 'match 2'],
    ['^PONG$', 'PONGX', 'match 4'],
    ['\\bok\\b', 'xok ok', 'match 6'],
    ['a\\B', 'a-ab', 'match 3'],
    ['(^|\\n)250 ', '250-a\n250 b', 'match 10'],
    ['\\xff\\x00', '\u00ff\0', 'match 2'],
    ['(?:ab|a)(?<n>c|bcd)', 'abcd', 'match 3'],
    ['[^\\s\\d]{2,3}\\.', '1ab.', 'match 4'],
    ['x{2}y?z', 'xxxyz', 'match 5'],
    ['[a\\]\\-]+$', 'b]', 'match 2'],
    ['(a|b)*c', 'abba', 'not-yet 4'],
    ['(a*)*b', `${'a'.repeat(5000)}c`, 'not-yet 5001'],
    ['\\s', '\u000b', 'match 1'],
    ['\\w', '\u00e9', 'not-yet 1'],
    ['.', '\r', 'match 1'],
  ])('%s on %j', (pattern, text, expected) => {
    expect(search(Pattern.regex(pattern), bytes(text))).toBe(expected);
  });

  it.each([
    ['(', 'unclosed group'],
    ['a)', 'unopened group'],
    ['a*', 'matches nothing at all'],
    ['(a|b)*c.{500}', 'simplify it'],
    ['(?:a{1000}){1000}', 'simplify it'],
    ['\\p{L}', 'unknown escape'],
    ['(?=a)', 'flags or look-around'],
    ['(?i)a', 'flags or look-around'],
    ['\\1', 'unknown escape'],
    ['[a&&b]', 'different things'],
    ['[[:alpha:]]', 'different things'],
    ['(?<n>a)(?<n>b)', 'two groups <n>'],
    ['a{2,1}', 'not in order'],
    ['a**', 'repeats or closes nothing'],
    ['^*a', 'repeats what has no length'],
    ['é', 'beyond ASCII'],
    ['[z-a]', 'bad range'],
    ['[a', 'ends within'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'deep'],
    ['a'.repeat(1025), 'longer than 1024'],
  ])('%s is refused', (pattern, why) => {
    expect(() => Pattern.regex(pattern)).toThrow(why);
  });

  it('means what it means in JavaScript, wherever both know it', () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '[^a]', '\\w', '\\d', '(a|b)', '(?:ab)', 'c');
    const count = fc.constantFrom('', '', '+', '*', '?', '{2}', '{1,2}');
    const piece = fc.tuple(atom, count).map((parts) => parts.join(''));
    const pattern = fc
      .tuple(
        fc.constantFrom('', '^', '\\b'),
        fc.array(piece, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', '$', '|cc'),
      )
      .map(([begin, pieces, end]) => `${begin}${pieces.join('')}${end}`);
    const hay = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '1'), maxLength: 30 });
    fc.assert(
      fc.property(pattern, hay, (source, text) => {
        const regex = new RegExp(source, 'u');
        fc.pre(!new RegExp(source.replace('\\b', ''), 'u').test(''));
        // The first end of a match, as if what came so far were all.
        const ends = Array.from(text, (_, at) => at + 1).filter((end) => regex.test(text.slice(0, end)));
        const found = search(Pattern.regex(source), bytes(text));
        if (ends[0] === undefined) expect(found).not.toContain('match');
        else expect(found).toBe(`match ${ends[0]}`);
      }),
      { numRuns: 2000 },
    );
  });
});
