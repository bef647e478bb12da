import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageStore } from '../images/index.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import { Configuration, type ConfigurationOptions } from './configuration.js';
import type { ConfigurationApi } from './configuration-api.js';
import { type ApplyRequest, type ApplyView, Documents, type DocumentsOptions } from './documents.js';
import type { ExecutionView } from './execution.js';
import { folderLeftovers, type Leftover, type Leftovers, removeLeftover } from './leftovers.js';
import { type LifeSource, LifeWatch } from './life-watch.js';
import { type LifecycleRuntime, Operations } from './operations.js';
import type { Plan } from './plan.js';
import { PlanExecutor } from './plan-executor.js';
import type { PlanJournal } from './plan-store.js';
import { type LogBegin, type LogPart, type LogSource, logFile, readLog } from './vm-logs.js';

export interface LifecycleOptions extends DocumentsOptions {
  readonly runtime: LifecycleRuntime & LifeSource & ConfiguredRuntime;
  /** The configuration that holds now. */
  readonly loaded: ConfigurationOptions['loaded'];
  readonly further?: ConfigurationOptions['further'];
  readonly runDir: string;
  readonly journal: PlanJournal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest wait for one durable write, ms. */
  readonly journalDeadlineMs: number;
}

/** What changes of the configuration need of the runtime; Vmpulse has it. */
interface ConfiguredRuntime {
  spec: ConfigurationOptions['spec'];
  record: ConfigurationOptions['record'];
  degrade(what: string, why: string): void;
  mend(what: string): void;
}

/** What an action of a plan would do, or what is wrong with it. */
export interface ActionPreview {
  readonly operationId: string;
  readonly would: string;
}

/** What the daemon's API needs of the life cycle of VMs. */
export interface LifecycleApi {
  readonly configuration: ConfigurationApi;
  /** See Documents.apply. */
  apply(request: ApplyRequest): Promise<ApplyView>;
  /** See PlanExecutor.submit; parsePlan() makes one of what somebody wrote. */
  submitPlan(plan: Plan, author: string): Promise<ExecutionView>;
  /** Tells what a plan would do. Changes nothing. */
  previewPlan(plan: Plan): Promise<readonly ActionPreview[]>;
  /** By plan or execution id, or by key. Throws ERR_VMPULSE_ARGUMENT. */
  plan(id: string): ExecutionView;
  /** Newest first. */
  plans(): readonly ExecutionView[];
  /** A part of a log of a VM; see readLog. */
  log(vm: VmId, source: LogSource, from: LogBegin): Promise<LogPart>;
  /** What nobody needs any more. Changes nothing. */
  leftovers(): Promise<Leftovers>;
  /** Removes that, and resolves with what it was. */
  collect(): Promise<Leftovers>;
}

/** Makes, changes and removes VMs, beside a runtime that watches them. */
export class Lifecycle implements LifecycleApi {
  readonly configuration: Configuration;
  readonly #documents: Documents;
  readonly #operations: Operations;
  readonly #executor: PlanExecutor;
  readonly #watch: LifeWatch;
  readonly #options: LifecycleOptions;

  constructor(options: LifecycleOptions) {
    this.#documents = new Documents(options);
    this.#options = options;
    const { runtime } = options;
    this.configuration = new Configuration({
      ...options,
      spec: (vm) => runtime.spec(vm),
      record: (vm, text, data) => runtime.record(vm, text, data),
      degrade: (what, why) => (why === undefined ? runtime.mend(what) : runtime.degrade(what, why)),
    });
    this.#watch = new LifeWatch({ ...options, source: options.runtime });
    this.#operations = new Operations({
      ...options,
      documents: this.#documents,
      creating: (vm) => this.#watch.creating(vm),
      forget: (vm) => this.#forget(vm),
    });
    this.#executor = new PlanExecutor({
      ...options,
      carryOut: (action, context) => this.#operations.carryOut(action, context),
    });
  }

  /** Goes on with plans of former runs. The runtime watches its VMs by then. */
  async start(): Promise<void> {
    this.#watch.start();
    await this.configuration.start();
    await this.#executor.start();
    const { logger } = this.#options;
    const { leftovers, kept } = await this.leftovers();
    for (const { path, why } of leftovers) {
      logger.warn({ path }, `left over: ${why}; vmpulse gc removes it`);
    }
    for (const why of kept) logger.warn({}, why);
  }

  /** Withdraws plans; the next start goes on with them. */
  async close(): Promise<void> {
    await this.configuration.close();
    await this.#executor.close();
    await this.#watch.close();
  }

  async leftovers(): Promise<Leftovers> {
    const { stateDir, runDir, runtime } = this.#options;
    const watched = new Set(runtime.specs().map(({ id }) => id));
    const documents = (await this.#documents.leftovers()).map(
      (path): Leftover => ({ kind: 'documents', path, why: 'documents that an apply which died had begun' }),
    );
    const unused = await new ImageStore(stateDir).unused(Date.now());
    const images = unused.files.map((file): Leftover => ({ kind: 'image', ...file }));
    const folders = await folderLeftovers(stateDir, runDir, (vm) => watched.has(vm));
    const kept = unused.unsure === undefined ? [] : [`no image is removed: ${unused.unsure}`];
    return { leftovers: [...documents, ...images, ...folders], kept };
  }

  async collect(): Promise<Leftovers> {
    const found = await this.leftovers();
    await this.#documents.tidy();
    for (const each of found.leftovers) if (each.kind !== 'documents') await removeLeftover(each);
    return found;
  }

  log(vm: VmId, source: LogSource, from: LogBegin): Promise<LogPart> {
    return readLog(join(this.#watch.folder(vm).path, logFile(source)), from);
  }

  async #forget(vm: VmId): Promise<void> {
    await this.configuration.forget(vm);
    await this.#watch.forget(vm);
    await this.#watch.folder(vm).remove();
    await rm(join(this.#options.runDir, 'vms', vm), { recursive: true, force: true });
  }

  apply(request: ApplyRequest): Promise<ApplyView> {
    return this.#documents.apply(request);
  }

  submitPlan(plan: Plan, author: string): Promise<ExecutionView> {
    return this.#executor.submit(plan, author);
  }

  async previewPlan(plan: Plan): Promise<readonly ActionPreview[]> {
    const made = new Set(
      plan.actions.filter(({ operation }) => operation === 'CREATE').map(({ vm_id }) => vm_id),
    );
    const previews: ActionPreview[] = [];
    for (const action of plan.actions) {
      const isMadeHere = action.operation !== 'CREATE' && made.has(action.vm_id);
      const would = isMadeHere
        ? `${action.operation} ${action.vm_id}`
        : await this.#operations.preview(action).catch((error: unknown) => `refused: ${errorMessage(error)}`);
      previews.push({ operationId: action.operation_id, would });
    }
    return previews;
  }

  plan(id: string): ExecutionView {
    return this.#executor.view(id);
  }

  plans(): readonly ExecutionView[] {
    return this.#executor.list();
  }

  /** Resolves with the view once the plan with that key is over. */
  planEnded(key: string): Promise<ExecutionView> {
    return this.#executor.ended(key);
  }
}
