export type { ApiConfig, ApiListen } from './api-schema.js';
export { canonicalJson, digestOf } from './canonical-json.js';
export { problemOfDocuments } from './check-documents.js';
export type { DaemonConfig } from './daemon-schema.js';
export { type ConfigDiff, diffConfig } from './diff-config.js';
export { MAX_DURATION_MS } from './duration.js';
export { buildHook, hookFields, hookProblem } from './hooks-schema.js';
export { azlinSettings } from './import/azlin-settings.js';
export type { Imported } from './import/imported.js';
export { IMPORTERS } from './import/registry.js';
export { type ListenAddress, listenAddressText } from './listen-address.js';
export {
  appliedFolder,
  type ConfigSources,
  compileSources,
  type FurtherDocuments,
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
  readConfigSources,
} from './load-config.js';
export type { MetricsPushConfig } from './metrics-push-schema.js';
export {
  documentText,
  fileNameOf,
  keysOfVm,
  type NamedDocument,
  namedDocuments,
} from './named-document.js';
export { channelFields } from './notifications-schema.js';
export {
  isAtOrBelow,
  type Override,
  type OverrideState,
  overridePathField,
  overridesPath,
  overridesText,
  readOverrides,
  type SetAside,
} from './overrides/override.js';
export { FIXED_DAEMON_OPTIONS } from './overrides/override-daemon.js';
export { VM_OPTIONS } from './overrides/override-vm.js';
export { ProblemList } from './problems.js';
export { redactAt } from './redact.js';
export { daemonSettings, type Setting, vmSettings } from './settings.js';
export { MAX_FILE_BYTES, parseDocuments, type SourceFile } from './source-document.js';
export { loadTriedRecovery } from './tried-recovery.js';
