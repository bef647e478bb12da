export { Configuration } from './configuration.js';
export type { ChangeRequest, ConfigurationApi } from './configuration-api.js';
export { type ApplyRequest, type ApplyView, Documents, type DocumentsOptions } from './documents.js';
export type { ExecutionView } from './execution.js';
export type { Leftovers } from './leftovers.js';
export { type ActionPreview, Lifecycle, type LifecycleApi, type LifecycleOptions } from './lifecycle.js';
export { type Plan, parsePlan, planSchema } from './plan.js';
export { LOG_SOURCES, type LogBegin, type LogPart, type LogSource } from './vm-logs.js';
