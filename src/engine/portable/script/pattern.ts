import { Automaton, FOUND, FOUND_BEFORE, NEVER } from './automaton.js';
import { PatternError, parsePattern } from './regex-parser.js';

/** Bytes of a text or of a regular expression. */
const MAX_BYTES = 1024;

/** What a search found in some bytes; `used`: how many of them belong to it. */
export interface Look {
  readonly found: 'match' | 'never' | 'not-yet';
  readonly used: number;
  /** Where the search goes on. */
  readonly state: number;
}

/** What a step waits for, found while the bytes come: one number a search, nothing is kept and nothing is read twice. */
export class Pattern {
  /** As people read it. */
  readonly shown: string;
  readonly begin = Automaton.BEGIN;
  readonly #step: (state: number, byte: number) => number;

  private constructor(shown: string, step: (state: number, byte: number) => number) {
    this.shown = shown;
    this.#step = step;
  }

  /** A text that may stand anywhere. Throws PatternError. */
  static text(text: Buffer, shown: string): Pattern {
    if (text.length === 0 || text.length > MAX_BYTES) {
      throw new PatternError(`must have 1 to ${MAX_BYTES} bytes`);
    }
    const back = fallbacks(text);
    return new Pattern(shown, (state, byte) => {
      const matched = advance(text, back, state, byte);
      return matched === text.length ? FOUND : matched;
    });
  }

  /** An expression over bytes. It matches as soon as what has come does, so a `$` means "here". Throws PatternError. */
  static regex(pattern: string): Pattern {
    if (Buffer.byteLength(pattern) > MAX_BYTES) throw new PatternError(`is longer than ${MAX_BYTES} bytes`);
    const automaton = new Automaton(parsePattern(pattern));
    return new Pattern(`/${pattern}/`, (state, byte) => automaton.step(state, byte));
  }

  /** Goes on with a search: it ends at the first byte that decides it. */
  look(begin: number, bytes: Buffer): Look {
    let state = begin;
    for (let used = 0; used < bytes.length; used += 1) {
      state = this.#step(state, bytes[used] ?? 0);
      if (state === FOUND) return { found: 'match', used: used + 1, state };
      if (state === FOUND_BEFORE) return { found: 'match', used, state };
      if (state === NEVER) return { found: 'never', used: used + 1, state };
    }
    return { found: 'not-yet', used: bytes.length, state };
  }
}

/** How many bytes match after one more. */
function advance(text: Buffer, back: readonly number[], matched: number, byte: number): number {
  let length = matched;
  while (length > 0 && text[length] !== byte) length = back[length] ?? 0;
  return text[length] === byte ? length + 1 : length;
}

/** For each length that has matched the longest part of it that may still begin a match (Knuth, Morris, Pratt). */
function fallbacks(text: Buffer): readonly number[] {
  const back = [0, 0];
  for (let length = 2; length <= text.length; length += 1) {
    back.push(advance(text, back, back[length - 1] ?? 0, text[length - 1] ?? 0));
  }
  return back;
}
