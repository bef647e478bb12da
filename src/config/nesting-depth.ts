import type { CST } from 'yaml';

/** The part of a token that can hold others. */
interface Holder {
  readonly items?: readonly {
    readonly key?: CST.Token | null | undefined;
    readonly value?: CST.Token | undefined;
  }[];
  readonly value?: unknown;
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null;
}

/** How deep collections are nested in a token; stops counting just above `limit`. Needs no recursion. */
export function nestingDepth(root: CST.Token, limit: number): number {
  let deepest = 0;
  const open: { readonly holder: Holder; readonly depth: number }[] = [];
  if (isHolder(root)) open.push({ holder: root, depth: 0 });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { holder, depth } = next;
    deepest = Math.max(deepest, depth);
    if (deepest > limit) return deepest;
    if (isHolder(holder.value)) open.push({ holder: holder.value, depth });
    for (const { key, value } of holder.items ?? []) {
      if (isHolder(key)) open.push({ holder: key, depth: depth + 1 });
      if (isHolder(value)) open.push({ holder: value, depth: depth + 1 });
    }
  }
  return deepest;
}
