export type { DaemonConfig } from './daemon-schema.js';
export { diffConfig } from './diff-config.js';
export { type LoadedConfig, loadConfig } from './load-config.js';
