import { isWordByte, type Look, type Node, PatternError } from './regex-parser.js';

/** Results of a step that are no state. */
export const FOUND = -1;
/** There was a match, and it ended before this byte, which does not belong to it. */
export const FOUND_BEFORE = -2;
/** No byte that may come can complete a match. */
export const NEVER = -3;

/** Transitions of a finished automaton: a mebibyte. */
const MAX_TRANSITIONS = 262_144;
const MAX_INSTRUCTIONS = 20_000;
/** Instructions that are looked at while it is built: some tenths of a second. */
const MAX_WORK = 20_000_000;

/** A machine without memory: what comes next, by class of byte; or a fork, or a condition. */
type Instruction =
  | { readonly op: 'byte'; readonly set: readonly boolean[] }
  | { readonly op: 'fork'; readonly to: number[] }
  | { readonly op: 'look'; readonly look: Look }
  | { readonly op: 'match' };

/** What stands on one side of a place between two bytes. */
type Side = 'edge' | 'word' | 'other';

class Program {
  readonly code: Instruction[] = [];

  constructor(node: Node) {
    this.#emit(node);
    this.#push({ op: 'match' });
  }

  #push(instruction: Instruction): number {
    if (this.code.length >= MAX_INSTRUCTIONS) throw tooLarge();
    return this.code.push(instruction) - 1;
  }

  #fork(...to: readonly number[]): number[] {
    const targets = [...to];
    this.#push({ op: 'fork', to: targets });
    return targets;
  }

  #emit(node: Node): void {
    switch (node.type) {
      case 'bytes':
        this.#push({ op: 'byte', set: node.set });
        return;
      case 'look':
        this.#push({ op: 'look', look: node.look });
        return;
      case 'sequence':
        for (const part of node.parts) this.#emit(part);
        return;
      case 'choice': {
        const begin = this.#fork();
        const ends = node.parts.map((part) => {
          begin.push(this.code.length);
          this.#emit(part);
          return this.#fork();
        });
        for (const end of ends) end.push(this.code.length);
        return;
      }
      case 'repeat':
        this.#repeat(node.part, node.least, node.most);
        return;
    }
  }

  #repeat(part: Node, least: number, most: number): void {
    for (let count = 0; count < least; count += 1) this.#emit(part);
    if (most === Number.POSITIVE_INFINITY) {
      const loop = this.code.length;
      const skip = this.#fork(loop + 1);
      this.#emit(part);
      this.#fork(loop);
      skip.push(this.code.length);
      return;
    }
    const skips: number[][] = [];
    for (let count = least; count < most; count += 1) {
      skips.push(this.#fork(this.code.length + 1));
      this.#emit(part);
    }
    for (const skip of skips) skip.push(this.code.length);
  }
}

/** An expression as a table: a search holds one number, and a byte costs one look. */
export class Automaton {
  static readonly BEGIN = 0;
  readonly #classOf: Uint8Array;
  readonly #classes: number;
  readonly #next: Int32Array;

  /** Throws PatternError. */
  constructor(node: Node) {
    const { classOf, next } = new Builder(new Program(node)).build();
    this.#classOf = classOf;
    this.#classes = Math.max(...classOf) + 1;
    this.#next = next;
  }

  /** The state after a byte, or what it led to. */
  step(state: number, byte: number): number {
    return this.#next[state * this.#classes + (this.#classOf[byte] ?? 0)] ?? NEVER;
  }
}

/** Instructions that wait for a byte, and what came before it. */
interface State {
  readonly waiting: readonly number[];
  readonly before: Side;
}

class Builder {
  readonly #code: readonly Instruction[];
  readonly #states: State[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #next: number[] = [];
  readonly #seen: Uint32Array;
  #mark = 0;
  #work = 0;

  constructor({ code }: Program) {
    this.#code = code;
    this.#seen = new Uint32Array(code.length);
  }

  build(): { readonly classOf: Uint8Array; readonly next: Int32Array } {
    const { classOf, samples } = this.#byteClasses();
    this.#number({ waiting: [0], before: 'edge' });
    for (let at = 0; at < this.#states.length; at += 1) {
      const state = this.#states[at];
      if (state === undefined) break;
      if (at === 0 && this.#isMatch(state, 'edge'))
        throw new PatternError('matches nothing at all; it would expect nothing');
      for (const byte of samples) this.#next.push(this.#step(state, byte));
      if (this.#next.length > MAX_TRANSITIONS) throw tooLarge();
    }
    const next = Int32Array.from(this.#next);
    markHopeless(next, samples.length);
    return { classOf, next };
  }

  /** Bytes that no instruction tells apart share a column. */
  #byteClasses(): { readonly classOf: Uint8Array; readonly samples: readonly number[] } {
    const sets = new Set(this.#code.flatMap((each) => (each.op === 'byte' ? [each.set] : [])));
    const classOf = new Uint8Array(256);
    const samples: number[] = [];
    const known = new Map<string, number>();
    for (let byte = 0; byte < 256; byte += 1) {
      const key = [isWordByte(byte), ...[...sets].map((set) => set[byte])].map(Number).join('');
      const number = known.get(key) ?? known.size;
      if (!known.has(key)) samples.push(byte);
      known.set(key, number);
      classOf[byte] = number;
    }
    return { classOf, samples };
  }

  #number(state: State): number {
    const key = `${state.before} ${state.waiting.join(' ')}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#states.push(state) - 1;
    this.#numbers.set(key, number);
    return number;
  }

  #step(state: State, byte: number): number {
    const side: Side = isWordByte(byte) ? 'word' : 'other';
    const reached = this.#closure(state, side);
    if (reached.includes(this.#code.length - 1)) return FOUND_BEFORE;
    // A match may begin behind each byte.
    const waiting = new Set([0]);
    for (const at of reached) {
      const instruction = this.#code[at];
      if (instruction?.op === 'byte' && instruction.set[byte] === true) waiting.add(at + 1);
    }
    const next = { waiting: [...waiting].sort((a, b) => a - b), before: side };
    return this.#isMatch(next, 'edge') ? FOUND : this.#number(next);
  }

  #isMatch(state: State, after: Side): boolean {
    return this.#closure(state, after).includes(this.#code.length - 1);
  }

  /** Where forks and conditions lead: bytes that are waited for, and the match. */
  #closure({ waiting, before }: State, after: Side): number[] {
    const reached: number[] = [];
    const open = [...waiting];
    this.#mark += 1;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      this.#work += 1;
      if (this.#work > MAX_WORK) throw tooLarge();
      if (this.#seen[at] === this.#mark) continue;
      this.#seen[at] = this.#mark;
      const instruction = this.#code[at];
      if (instruction?.op === 'fork') open.push(...instruction.to);
      else if (instruction?.op === 'look') {
        if (holds(instruction.look, before, after)) open.push(at + 1);
      } else reached.push(at);
    }
    return reached;
  }
}

function holds(look: Look, before: Side, after: Side): boolean {
  const isBoundary = (before === 'word') !== (after === 'word');
  switch (look) {
    case 'start':
      return before === 'edge';
    case 'end':
      return after === 'edge';
    case 'word-boundary':
      return isBoundary;
    case 'no-word-boundary':
      return !isBoundary;
  }
}

/** Transitions to states from which no match can be reached any more become NEVER. */
function markHopeless(next: Int32Array, classes: number): void {
  const from: number[][] = Array.from({ length: next.length / classes }, () => []);
  const open: number[] = [];
  const hopeful = new Set<number>();
  next.forEach((to, at) => {
    const state = Math.floor(at / classes);
    if (to >= 0) from[to]?.push(state);
    else open.push(state);
  });
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (hopeful.has(state)) continue;
    hopeful.add(state);
    open.push(...(from[state] ?? []));
  }
  next.forEach((to, at) => {
    if (to >= 0 && !hopeful.has(to)) next[at] = NEVER;
  });
}

function tooLarge(): PatternError {
  return new PatternError(`needs more than ${MAX_TRANSITIONS * 4} bytes compiled; simplify it`);
}
