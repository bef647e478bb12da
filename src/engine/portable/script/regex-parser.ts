/** Sets of bytes: true at each byte that belongs. */
export type ByteSet = readonly boolean[];

/** What must hold between two bytes. */
export type Look = 'start' | 'end' | 'word-boundary' | 'no-word-boundary';

export type Node =
  | { readonly type: 'bytes'; readonly set: ByteSet }
  | { readonly type: 'look'; readonly look: Look }
  | { readonly type: 'sequence'; readonly parts: readonly Node[] }
  | { readonly type: 'choice'; readonly parts: readonly Node[] }
  | { readonly type: 'repeat'; readonly part: Node; readonly least: number; readonly most: number };

/** Why an expression is refused. */
export class PatternError extends Error {}

const MAX_COUNT = 1000;
const MAX_DEPTH = 50;
const NEWLINE = 10;
const LETTERS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 };
const LOOKS: Readonly<Record<string, Look>> = { b: 'word-boundary', B: 'no-word-boundary' };
const PUNCTUATION = /[!-/:-@[-`{-~]/;
/** Within brackets one engine reads them as operators. */
const CLASS_OPERATOR = /^(?:&&|--|~~|\[)/;

function bytes(belongs: (byte: number) => boolean): ByteSet {
  return Array.from({ length: 256 }, (_, byte) => belongs(byte));
}

export function isWordByte(byte: number): boolean {
  return /[0-9A-Za-z_]/.test(String.fromCharCode(byte));
}

const ANY = bytes((byte) => byte !== NEWLINE);
const CLASSES: Readonly<Record<string, ByteSet>> = {
  d: bytes((byte) => byte >= 48 && byte <= 57),
  w: bytes(isWordByte),
  s: bytes((byte) => byte === 32 || (byte >= 9 && byte <= 13)),
};

/**
 * Reads the expressions that both engines read alike, over bytes: alternatives, groups without flags, classes, `.` (all
 * but a line feed), counts, greedy or not (that makes no difference to where a first match ends), `^`, `$`, `\b`, `\B`.
 */
export function parsePattern(text: string): Node {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  readonly #names = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for what is not ASCII
    if (/[^\u0000-\u007f]/.test(this.#text)) this.#refuse('has a character beyond ASCII; write its bytes');
    const node = this.#choice();
    if (this.#at < this.#text.length) this.#refuse('unopened group');
    return node;
  }

  #refuse(why: string): never {
    throw new PatternError(why);
  }

  get #rest(): string {
    return this.#text.slice(this.#at);
  }

  #takes(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #next(): string {
    const char = this.#text.charAt(this.#at);
    this.#at += 1;
    return char === '' ? this.#refuse('ends within an escape or brackets') : char;
  }

  #choice(): Node {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#refuse(`has groups within groups, more than ${MAX_DEPTH} deep`);
    const parts = [this.#sequence()];
    while (this.#takes('|')) parts.push(this.#sequence());
    this.#depth -= 1;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { type: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !/^[|)]/.test(this.#rest)) parts.push(this.#repeat(this.#atom()));
    return { type: 'sequence', parts };
  }

  #atom(): Node {
    if (this.#takes('(')) return this.#group();
    if (this.#takes('[')) return { type: 'bytes', set: this.#brackets() };
    if (this.#takes('^')) return { type: 'look', look: 'start' };
    if (this.#takes('$')) return { type: 'look', look: 'end' };
    if (this.#takes('.')) return { type: 'bytes', set: ANY };
    if (this.#takes('\\')) {
      const look = LOOKS[this.#text.charAt(this.#at)];
      if (look === undefined) return { type: 'bytes', set: setOf(this.#escape()) };
      this.#at += 1;
      return { type: 'look', look };
    }
    const char = this.#next();
    if (/[*+?{}\]]/.test(char)) this.#refuse(`has a ${char} that repeats or closes nothing; write \\${char}`);
    return { type: 'bytes', set: setOf(char.charCodeAt(0)) };
  }

  #group(): Node {
    if (this.#takes('?')) {
      const name = /^(?::|<[A-Za-z_][A-Za-z0-9_]*>)/.exec(this.#rest)?.[0];
      if (name === undefined) this.#refuse('has flags or look-around; rewrite it without');
      if (name !== ':' && this.#names.has(name)) this.#refuse(`has two groups ${name}`);
      this.#names.add(name);
      this.#at += name.length;
    }
    const node = this.#choice();
    if (!this.#takes(')')) this.#refuse('unclosed group');
    return node;
  }

  #repeat(part: Node): Node {
    const [text, sign, least = '', comma, most = ''] =
      /^(?:([*+?])|\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\})\??/.exec(this.#rest) ?? [];
    if (text === undefined) return part;
    if (part.type === 'look') this.#refuse('repeats what has no length');
    this.#at += text.length;
    if (sign !== undefined) {
      const end = sign === '?' ? 1 : Number.POSITIVE_INFINITY;
      return { type: 'repeat', part, least: sign === '+' ? 1 : 0, most: end };
    }
    const from = Number(least);
    const to = comma === undefined ? from : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    if (from > MAX_COUNT || (Number.isFinite(to) && to > MAX_COUNT) || from > to)
      this.#refuse(`has the count ${text}, which is not in order or over ${MAX_COUNT}`);
    return { type: 'repeat', part, least: from, most: to };
  }

  #brackets(): ByteSet {
    const isNegated = this.#takes('^');
    if (this.#rest.startsWith(']')) this.#refuse('has empty brackets');
    const set = bytes(() => false).slice();
    while (!this.#takes(']')) {
      if (CLASS_OPERATOR.test(this.#rest))
        this.#refuse('has &&, --, ~~ or [ within brackets, which means different things; escape it');
      const from = this.#classItem();
      const isRange = /^-[^\]]/.test(this.#rest) && !this.#rest.startsWith('--');
      if (!isRange) {
        setOf(from).forEach((belongs, byte) => {
          if (belongs) set[byte] = true;
        });
        continue;
      }
      this.#at += 1;
      const to = this.#classItem();
      if (typeof from !== 'number' || typeof to !== 'number' || from > to) this.#refuse('has a bad range');
      set.fill(true, from, to + 1);
    }
    return isNegated ? set.map((belongs) => !belongs) : set;
  }

  #classItem(): number | ByteSet {
    return this.#takes('\\') ? this.#escape() : this.#next().charCodeAt(0);
  }

  #escape(): number | ByteSet {
    const char = this.#next();
    const set = CLASSES[char.toLowerCase()];
    if (set !== undefined) return char in CLASSES ? set : set.map((belongs) => !belongs);
    const [hex] = /^[0-9A-Fa-f]{2}/.exec(this.#rest) ?? [];
    if (char === 'x' && hex !== undefined) {
      this.#at += 2;
      return Number.parseInt(hex, 16);
    }
    const letter = LETTERS[char];
    if (letter !== undefined) return letter;
    if (!PUNCTUATION.test(char) || char === '<' || char === '>')
      this.#refuse(`has the unknown escape \\${char}`);
    return char.charCodeAt(0);
  }
}

function setOf(item: number | ByteSet): ByteSet {
  return typeof item === 'number' ? bytes((byte) => byte === item) : item;
}
