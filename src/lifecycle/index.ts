export { type ApplyRequest, type ApplyView, Documents, type DocumentsOptions } from './documents.js';
export { Lifecycle, type LifecycleApi } from './lifecycle.js';
