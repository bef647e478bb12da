import type { PathStep } from './problems.js';

const PLACEHOLDER = /<[A-Za-z][A-Za-z0-9_. -]*>/;
/** Fields that hold other languages, where `<b>` is text. */
const FREE_TEXT: ReadonlySet<PathStep> = new Set([
  'annotations',
  'body',
  'bodyContains',
  'bodyRegex',
  'userData',
  'networkData',
]);

/** The `<…>` in a text that somebody was to fill in; undefined when there is none. */
export function findPlaceholder(text: string, path: readonly PathStep[]): string | undefined {
  if (text.includes('\n') || path.some((step) => FREE_TEXT.has(step))) return undefined;
  return PLACEHOLDER.exec(text)?.[0];
}
