import { isMapping } from '../mapping.js';
import { formatPlace } from '../problems.js';
import { isAt, type RecoveryOrigins } from '../recovery-layers.js';
import type { SourceDocument } from '../source-document.js';
import { isAtOrBelow, type Override, overrideOrigin } from './override.js';

/** Who said each value of recovery, with those that an override said. */
export function recoveryOriginsOf(
  origins: RecoveryOrigins = {},
  overrides: readonly Override[],
): RecoveryOrigins {
  const result: Record<string, string> = { ...origins };
  for (const override of overrides) {
    const [first, ...below] = override.path.split('.');
    if (first !== 'recovery' || override.value === null) continue;
    const top = below.join('.');
    for (const path of Object.keys(result))
      if (isAt(path, below) || top === '' || isAtOrBelow(path, top)) result[path] = overrideOrigin(override);
  }
  return result;
}

/** Where each value that is written stands, by its path. */
export function originsOf(
  document: SourceDocument,
  overrides: readonly Override[],
): Readonly<Record<string, string>> {
  const origins: Record<string, string> = {};
  const visit = (value: unknown, path: readonly string[]): void => {
    if (isMapping(value)) {
      for (const [key, below] of Object.entries(value)) visit(below, [...path, key]);
      return;
    }
    const name = path.join('.');
    const by = overrides.findLast((each) => isAtOrBelow(name, each.path));
    origins[name] = by === undefined ? formatPlace(document.placeOf(path)) : overrideOrigin(by);
  };
  visit(document.value, []);
  return origins;
}
