import { type ApplyRequest, type ApplyView, Documents, type DocumentsOptions } from './documents.js';

export type LifecycleOptions = DocumentsOptions;

/** What the daemon's API needs of the life cycle of VMs. */
export interface LifecycleApi {
  /** See Documents.apply. */
  apply(request: ApplyRequest): Promise<ApplyView>;
}

/** Makes, changes and removes VMs, beside a runtime that watches them. */
export class Lifecycle implements LifecycleApi {
  readonly #documents: Documents;

  constructor(options: LifecycleOptions) {
    this.#documents = new Documents(options);
  }

  apply(request: ApplyRequest): Promise<ApplyView> {
    return this.#documents.apply(request);
  }
}
