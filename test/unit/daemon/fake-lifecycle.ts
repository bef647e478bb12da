import type { Override, Setting } from '../../../src/config/index.js';
import type {
  ActionPreview,
  ApplyRequest,
  ApplyView,
  ChangeRequest,
  ConfigurationApi,
  ExecutionView,
  Leftovers,
  LifecycleApi,
  LogBegin,
  LogPart,
  LogSource,
  Plan,
} from '../../../src/lifecycle/index.js';
import { VmpulseError } from '../../../src/model/errors.js';
import type { VmId } from '../../../src/model/vm.js';

/** Records what the API asks for. */
export class FakeLifecycle implements LifecycleApi {
  readonly applied: ApplyRequest[] = [];
  readonly changes: ChangeRequest[] = [];
  readonly settings: Setting[] = [{ path: 'logLevel', value: 'info', origin: 'default' }];
  readonly overrides: Override[] = [];
  readonly configuration: ConfigurationApi = {
    view: (vm) => ({
      vm,
      settings: this.settings,
      overrides: this.overrides,
      setAside: [],
    }),
    change: async (request) => {
      this.changes.push(request);
      return { dryRun: request.dryRun, set: [], withdrawn: [], vms: [], restartRequired: [] };
    },
  };
  readonly executions: ExecutionView[] = [];
  /** Parts of logs, in the order in which they are asked for. */
  readonly logs: LogPart[] = [];
  readonly asked: unknown[] = [];

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

  async submitPlan({ idempotency_key }: Plan, author: string): Promise<ExecutionView> {
    const view: ExecutionView = {
      planId: 'plan-1',
      executionId: 'execution-1',
      idempotencyKey: idempotency_key,
      attempt: 1,
      author,
      reason: 'asked for',
      status: 'SUCCEEDED',
      createdAtMs: 1,
      endedAtMs: 2,
      actions: [],
    };
    this.executions.push(view);
    return view;
  }

  async previewPlan(plan: Plan): Promise<readonly ActionPreview[]> {
    return plan.actions.map(({ operation_id }) => ({
      operationId: operation_id,
      would: 'nothing',
    }));
  }

  plan(id: string): ExecutionView {
    const found = this.executions.find(({ planId }) => planId === id);
    if (found) return found;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there is no plan ${id}`);
  }

  plans(): readonly ExecutionView[] {
    return this.executions;
  }

  async log(vm: VmId, source: LogSource, from: LogBegin): Promise<LogPart> {
    this.asked.push([vm, source, from]);
    return this.logs.shift() ?? { text: '', file: '1:2', next: 0 };
  }

  async leftovers(): Promise<Leftovers> {
    return {
      leftovers: [{ kind: 'vm-folder', path: '/state/vms/a/b', why: 'nobody watches it' }],
      kept: ['no image is removed: a disk cannot be read'],
    };
  }

  collect(): Promise<Leftovers> {
    return this.leftovers();
  }
}
