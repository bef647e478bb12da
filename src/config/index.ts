export type { DaemonConfig, ListenAddress, LogLevel } from './daemon-schema.js';
export { type ConfigDiff, diffConfig, type VmChange } from './diff-config.js';
export { formatDuration, parseDuration } from './duration.js';
export {
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
  type ManifestSourceState,
} from './load-config.js';
export { formatQuantity, parseQuantity } from './quantity.js';
