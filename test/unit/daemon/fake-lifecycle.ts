import type { ApplyRequest, ApplyView, LifecycleApi } from '../../../src/lifecycle/index.js';

/** Records what the API asks for. */
export class FakeLifecycle implements LifecycleApi {
  readonly applied: ApplyRequest[] = [];

  async apply(request: ApplyRequest): Promise<ApplyView> {
    this.applied.push(request);
    const documents = {
      added: request.files.map(({ path }) => path),
      changed: [],
      removed: [],
      unchanged: [],
    };
    return { dryRun: request.dryRun, documents, vms: { added: [], removed: [], changed: [] }, warnings: [] };
  }
}
