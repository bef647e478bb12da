import { KIND_ENTRIES } from '../../probes/registry.js';
import { isMapping } from '../mapping.js';
import type { PathStep, Place } from '../problems.js';
import type { SourceDocument } from '../source-document.js';

/** A value to be put into a document. */
export interface Change {
  readonly path: readonly string[];
  /** null: as if nothing were written there. */
  readonly value: unknown;
  /** For messages. */
  readonly place: Place;
}

/** A copy, which may be changed. */
type OwnMapping = Record<string, unknown>;

const KINDS: readonly string[] = KIND_ENTRIES.map(({ kind }) => kind);
/** Fields of which one stands; the one that is set takes the place of the others. */
const EITHER: readonly (readonly string[])[] = [
  ['periodSeconds', 'periodMs'],
  ['timeoutSeconds', 'timeoutMs'],
  ['running', 'runStrategy'],
  ['do', 'command'],
  KINDS,
];

/** Lists of entries with names. */
const LISTS: ReadonlySet<string> = new Set(['spec.probes', 'spec.maintenance']);

/**
 * The document with values put in, one after another. A step into a list is the name of an entry, which is added where
 * there is none. What was put in stands, for messages, where its change says.
 */
export function overrideDocument(document: SourceDocument, changes: readonly Change[]): SourceDocument {
  const root: unknown = structuredClone(document.value);
  const placed: { readonly at: readonly PathStep[]; readonly place: Place }[] = [];
  for (const { path, value, place } of changes) placed.push({ at: put(root, path, value), place });
  const placeOf = (path: readonly PathStep[], usual: Place): Place =>
    placed.findLast(({ at }) => at.every((step, index) => path[index] === step))?.place ?? usual;
  return {
    ...document,
    value: root,
    placeOf: (path) => placeOf(path, document.placeOf(path)),
    placeOfKey: (path) => placeOf(path, document.placeOfKey(path)),
  };
}

/** Puts one in, and tells where: with the position of an entry instead of its name. */
function put(root: unknown, path: readonly string[], value: unknown): readonly PathStep[] {
  const at: PathStep[] = [];
  let container: unknown = root;
  for (const [index, step] of path.entries()) {
    const isLast = index === path.length - 1;
    const key = keyIn(container, step, isLast ? value : {});
    at.push(key);
    if (isOwnMapping(container) && typeof key === 'string') dropOthers(container, key);
    if (isLast) assign(container, key, value);
    else container = enter(container, key, LISTS.has(path.slice(0, index + 1).join('.')) ? [] : {});
  }
  return at;
}

/** Where a step leads: of a list the position of the entry with that name, else behind the last. */
function keyIn(container: unknown, step: string, value: unknown): PathStep {
  if (!Array.isArray(container)) return step;
  const found = container.findIndex((entry: unknown) => isMapping(entry) && entry.name === step);
  if (found >= 0) return found;
  if (isMapping(value)) container.push({ name: step });
  return isMapping(value) ? container.length - 1 : container.length;
}

function dropOthers(container: OwnMapping, key: string): void {
  for (const group of EITHER) {
    if (!group.includes(key)) continue;
    for (const other of group) if (other !== key) delete container[other];
  }
}

function assign(container: unknown, key: PathStep, value: unknown): void {
  if (Array.isArray(container) && typeof key === 'number') {
    if (value === null) container.splice(key, 1);
    else container[key] = isMapping(value) ? { name: nameOf(container[key]), ...value } : value;
  } else if (isOwnMapping(container)) {
    if (value === null) delete container[key];
    else container[key] = structuredClone(value);
  }
}

/** What is below; made where nothing is. A plain value there is replaced: the whole is checked afterwards. */
function enter(container: unknown, key: PathStep, fresh: object): unknown {
  const below = Array.isArray(container)
    ? (container[Number(key)] as unknown)
    : isMapping(container)
      ? container[key]
      : undefined;
  if (Array.isArray(below) || isMapping(below)) return below;
  assign(container, key, fresh);
  return isMapping(container) ? container[key] : fresh;
}

function nameOf(entry: unknown): unknown {
  return isMapping(entry) ? entry.name : undefined;
}

function isOwnMapping(value: unknown): value is OwnMapping {
  return isMapping(value);
}
