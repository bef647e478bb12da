export { canonicalJson, digestOf } from './canonical-json.js';
export { problemOfDocuments } from './check-documents.js';
export type { DaemonConfig } from './daemon-schema.js';
export { type ConfigDiff, diffConfig } from './diff-config.js';
export {
  appliedFolder,
  type ConfigSources,
  compileSources,
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
  readConfigSources,
} from './load-config.js';
export {
  documentText,
  fileNameOf,
  keysOfVm,
  type NamedDocument,
  namedDocuments,
} from './named-document.js';
export { ProblemList } from './problems.js';
export type { SourceFile } from './source-document.js';
