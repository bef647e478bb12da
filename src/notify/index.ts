export type { NewChannel } from './channel-store.js';
export { Notifier } from './notifier.js';
export type { NotifyApi } from './notify-views.js';
export { Reporter, type ReporterOptions } from './reporter.js';
export { secretReader } from './secret.js';
