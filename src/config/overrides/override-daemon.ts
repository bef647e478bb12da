import type { SourceDocument } from '../source-document.js';
import { type Override, placeOfOverride } from './override.js';
import { overrideDocument } from './override-document.js';

/** Settings that say where the daemon finds things; nothing set at run time could be found without them. */
export const FIXED_DAEMON_OPTIONS: readonly string[] = [
  'hostName',
  'manifests',
  'runDir',
  'socket',
  'stateDir',
];

/** The daemon's configuration file as overrides change it. */
export function overriddenDaemon(document: SourceDocument, overrides: readonly Override[]): SourceDocument {
  if (overrides.length === 0) return document;
  return overrideDocument(
    document,
    overrides.map((override) => ({
      path: override.path.split('.'),
      value: override.value,
      place: placeOfOverride(override),
    })),
  );
}
