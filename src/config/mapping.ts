import type { PathStep } from './problems.js';

/** A mapping of a document: its members are not known yet. */
export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is in a mapping; nothing where it is none. */
export function membersOf(value: unknown): Mapping {
  return isMapping(value) ? value : {};
}

/** What stands at a path; undefined: nothing. */
export function valueAt(value: unknown, path: readonly PathStep[]): unknown {
  return path.reduce<unknown>((inner, step) => {
    if (Array.isArray(inner)) return typeof step === 'number' ? inner[step] : undefined;
    return isMapping(inner) && Object.hasOwn(inner, step) ? inner[step] : undefined;
  }, value);
}

/** The values in a mapping with their paths, but for what is undefined. A list is one value, and so is an empty mapping. */
export function leavesOf(value: Mapping, above = ''): readonly (readonly [path: string, value: unknown])[] {
  return Object.entries(value).flatMap(([key, below]) => {
    const path = above === '' ? key : `${above}.${key}`;
    if (below === undefined) return [];
    return isMapping(below) && Object.keys(below).length > 0
      ? leavesOf(below, path)
      : [[path, below] as const];
  });
}
