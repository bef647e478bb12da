import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import { findPlaceholder } from './placeholders.js';
import type { PathStep, Place, ProblemList } from './problems.js';
import type { Placeholder, SourceDocument } from './source-document.js';

/** Where a value stands, and what is in it. */
interface Located {
  readonly offset: number;
  readonly keyOffset?: number;
  readonly members: Map<PathStep, Located>;
}

type Path = readonly PathStep[];

const MAX_NODES = 100_000;
/** Deepest nesting, aliases filled in; deeper documents would recurse too far. */
export const MAX_DEPTH = 64;

/** Stops the reading of a document; its problem has been added. */
class Unreadable extends Error {}

/** Turns one composed document into plain data, remembering where each part stands. Aliases are filled in, within a budget. */
export class YamlReader {
  readonly #file: string;
  readonly #at: (offset: number) => Place;
  readonly #problems: ProblemList;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  readonly #placeholders: Placeholder[] = [];
  #root: Located = { offset: 0, members: new Map() };
  #nodes = 0;
  #broken = false;

  constructor(file: string, at: (offset: number) => Place, problems: ProblemList) {
    this.#file = file;
    this.#at = at;
    this.#problems = problems;
  }

  get broken(): boolean {
    return this.#broken;
  }

  read(document: Document.Parsed): unknown {
    if (document.contents === null) return null;
    this.#root = { offset: offsetOf(document.contents), members: new Map() };
    try {
      return this.#value(document.contents, this.#root, []);
    } catch (error) {
      if (error instanceof Unreadable) return null;
      throw error;
    }
  }

  /** What was read, with its places. */
  document(value: unknown): SourceDocument {
    const root = this.#root;
    const at = this.#at;
    const find = (path: Path): { readonly located: Located; readonly whole: boolean } => {
      let located = root;
      for (const step of path) {
        const next = located.members.get(step);
        if (next === undefined) return { located, whole: false };
        located = next;
      }
      return { located, whole: true };
    };
    return {
      file: this.#file,
      value,
      placeholders: this.#placeholders,
      placeOf: (path) => at(find(path).located.offset),
      placeOfKey: (path) => {
        const { located, whole } = find(path);
        return at(whole ? (located.keyOffset ?? located.offset) : located.offset);
      },
    };
  }

  #refuse(offset: number, path: Path, message: string): never {
    this.#problem(offset, path, message);
    throw new Unreadable(message);
  }

  #problem(offset: number, path: Path, message: string): void {
    this.#problems.add(this.#at(offset), path, message);
    this.#broken = true;
  }

  #value(node: Node | null, located: Located, path: Path): unknown {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      const message = `makes more than ${MAX_NODES} values, with aliases filled in; write them out or split the file`;
      this.#refuse(located.offset, [], message);
    }
    if (path.length > MAX_DEPTH)
      this.#refuse(located.offset, [], `is nested deeper than ${MAX_DEPTH} levels; flatten it`);
    if (node === null) return null;
    if (isAlias(node)) return this.#aliased(node.source, offsetOf(node), located, path);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) {
      if (typeof node.value === 'string') this.#look(node.value, located.offset, path, false);
      return node.value;
    }
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, located, path) : this.#list(node, located, path);
    this.#open.delete(node);
    return value;
  }

  #aliased(anchor: string, offset: number, located: Located, path: Path): unknown {
    const target = this.#anchors.get(anchor);
    if (target === undefined)
      return this.#refuse(
        offset,
        path,
        `refers to the anchor "${anchor}", which is not above it; define it first`,
      );
    if (this.#open.has(target))
      return this.#refuse(offset, path, `holds itself through the alias "${anchor}"; write the part out`);
    return this.#value(target, located, path);
  }

  #list(node: Node, located: Located, path: Path): unknown[] {
    const items: unknown[] = isSeq(node) ? node.items : [];
    return items.map((item, index) => {
      const child = asNode(item);
      const inside: Located = {
        offset: child === null ? located.offset : offsetOf(child),
        members: new Map(),
      };
      located.members.set(index, inside);
      return this.#value(child, inside, [...path, index]);
    });
  }

  #map(map: YAMLMap, located: Located, path: Path): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    const seen = new Set<string>();
    for (const pair of map.items) {
      const { key, keyOffset } = this.#key(pair, located, path);
      const child = asNode(pair.value);
      const inside: Located = {
        offset: child === null ? keyOffset : offsetOf(child),
        keyOffset,
        members: new Map(),
      };
      if (seen.has(key))
        this.#problem(keyOffset, [...path, key], 'stands here a second time; keep one of them');
      seen.add(key);
      located.members.set(key, inside);
      this.#look(key, keyOffset, [...path, key], true);
      const value = this.#value(child, inside, [...path, key]);
      if (value !== null) entries.push([key, value]);
    }
    // fromEntries defines own members, so a key such as __proto__ stays data.
    return Object.fromEntries(entries);
  }

  #key(pair: Pair, located: Located, path: Path): { readonly key: string; readonly keyOffset: number } {
    const { key } = pair;
    if (!isScalar(key) || typeof key.value !== 'string') {
      return this.#refuse(located.offset, path, 'has a key that is not text; write plain words as keys');
    }
    const keyOffset = offsetOf(key);
    if (key.anchor !== undefined) this.#anchors.set(key.anchor, key);
    if (key.value === '<<')
      return this.#refuse(keyOffset, path, 'uses a merge key (<<); write the fields out');
    return { key: key.value, keyOffset };
  }

  #look(text: string, offset: number, path: Path, isKey: boolean): void {
    const found = findPlaceholder(text, path);
    if (found !== undefined) this.#placeholders.push({ path, place: this.#at(offset), text: found, isKey });
  }
}

function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value) ? value : null;
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
