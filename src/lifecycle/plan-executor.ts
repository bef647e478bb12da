import { randomUUID } from 'node:crypto';
import { digestOf } from '../config/index.js';
import type { Clock } from '../model/clock.js';
import { errorMessage, isVmpulseError, VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import { type ActionView, type ExecutionView, isOver, outcomeOf } from './execution.js';
import type { Plan, PlanAction } from './plan.js';
import { type PlanJournal, PlanStore, type StoredPlan } from './plan-store.js';

/** Who has an action carried out, and under which name it is known in the journal. */
export interface ActionContext {
  readonly id: string;
  readonly author: string;
  readonly reason: string;
  readonly signal: AbortSignal;
}

export interface PlanExecutorOptions {
  readonly journal: PlanJournal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly journalDeadlineMs: number;
  /** Carries one action out, or finds it done already; resolves with what was done. Ends by a deadline of its own. */
  readonly carryOut: (action: PlanAction, context: ActionContext) => Promise<string>;
}

/**
 * Carries plans out, action by action. Every step is durable before the next: a daemon that dies is followed by one that
 * goes on with the action that was running, which looks at what is there before it does anything.
 */
export class PlanExecutor {
  readonly #options: PlanExecutorOptions;
  readonly #store: PlanStore;
  readonly #abort = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  #submitted: Promise<unknown> = Promise.resolve();

  constructor(options: PlanExecutorOptions) {
    this.#options = options;
    this.#store = new PlanStore(options.journal, options.logger, options.journalDeadlineMs);
  }

  /** Reads what former runs left and goes on with it. */
  async start(): Promise<void> {
    await this.#store.load();
    for (const stored of this.#store.list().reverse()) if (!isOver(stored.view)) this.#run(stored);
  }

  /**
   * Begins a plan, and resolves once that is durable. A key that succeeded gives its stored result, one that runs how far
   * it is, one that failed is tried again from the action that failed. Throws ERR_VMPULSE_ARGUMENT for a key of another plan.
   */
  submit(plan: Plan, author: string): Promise<ExecutionView> {
    const submitted = this.#submitted.then(() => this.#submit(plan, author));
    this.#submitted = submitted.catch(() => {});
    return submitted;
  }

  /** By plan or execution id, or by key. Throws ERR_VMPULSE_ARGUMENT. */
  view(id: string): ExecutionView {
    const found = this.#store
      .list()
      .find(({ view }) => view.planId === id || view.executionId === id || view.idempotencyKey === id);
    if (found) return found.view;
    throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there is no plan ${id}; GET /v1/plans lists them`);
  }

  /** Newest first. */
  list(): ExecutionView[] {
    return this.#store.list().map(({ view }) => view);
  }

  /** Resolves with the view once the plan is over. */
  async ended(key: string): Promise<ExecutionView> {
    await this.#running.get(key);
    return this.view(key);
  }

  /** Withdraws what runs; the next start goes on with it. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#submitted;
    await Promise.all(this.#running.values());
  }

  async #submit(plan: Plan, author: string): Promise<ExecutionView> {
    if (this.#abort.signal.aborted)
      throw new VmpulseError('ERR_VMPULSE_CLOSED', 'plans are not taken any more');
    const digest = digestOf(plan.actions);
    const known = this.#store.get(plan.idempotency_key);
    if (known && known.digest !== digest) {
      const text = `the key ${plan.idempotency_key} belongs to another plan (${known.view.planId}); give this one its own`;
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', text);
    }
    if (known && (!isOver(known.view) || known.view.status === 'SUCCEEDED')) return known.view;
    const view = known ? again(known.view, author) : this.#fresh(plan, author);
    const stored = { digest, plan, view };
    await this.#store.save(stored);
    this.#run(stored);
    return stored.view;
  }

  #fresh(plan: Plan, author: string): ExecutionView {
    return {
      planId: plan.plan_id ?? randomUUID(),
      executionId: randomUUID(),
      idempotencyKey: plan.idempotency_key,
      attempt: 1,
      author,
      reason: plan.reason ?? `plan ${plan.plan_id ?? plan.idempotency_key}`,
      status: 'PENDING',
      createdAtMs: this.#options.clock.now(),
      endedAtMs: null,
      actions: plan.actions.map(({ operation_id, operation, vm_id }) => ({
        operationId: operation_id,
        operation,
        vmId: vm_id,
        ...NOT_BEGUN,
      })),
    };
  }

  #run(stored: StoredPlan): void {
    const key = stored.view.idempotencyKey;
    const done = this.#execute(stored)
      .catch((error: unknown) => {
        // Not durable, so not over: the next start, or the same plan given again, goes on.
        if (this.#abort.signal.aborted) return;
        const why = { code: codeOf(error), message: errorMessage(error) };
        this.#options.logger.error({ plan: stored.view.planId, ...why }, 'a plan was interrupted');
        const actions = stored.view.actions.map((each) =>
          each.status === 'RUNNING' ? { ...each, status: 'FAILED' as const, error: why } : each,
        );
        stored.view = { ...stored.view, actions, status: outcomeOf(actions) };
      })
      .finally(() => this.#running.delete(key));
    this.#running.set(key, done);
  }

  async #execute(stored: StoredPlan): Promise<void> {
    const { clock } = this.#options;
    for (const [index, action] of stored.plan.actions.entries()) {
      if (stored.view.actions[index]?.status === 'SUCCEEDED') continue;
      if (stored.view.actions.some(({ status }) => status === 'FAILED')) break;
      await this.#note(stored, index, { status: 'RUNNING', startedAtMs: clock.now() });
      const ended = await this.#carryOut(action, stored.view);
      // Withdrawn: what became of it is found out by who takes it up.
      if (this.#abort.signal.aborted) return;
      await this.#note(stored, index, { ...ended, endedAtMs: clock.now() });
    }
    const actions = stored.view.actions.map((each) =>
      each.status === 'PENDING' ? { ...each, status: 'SKIPPED' as const } : each,
    );
    stored.view = { ...stored.view, actions, status: outcomeOf(actions), endedAtMs: clock.now() };
    await this.#store.save(stored);
  }

  async #carryOut(
    action: PlanAction,
    { planId, author, reason }: ExecutionView,
  ): Promise<Pick<ActionView, 'status' | 'text' | 'error'>> {
    // The same after a crash, so that the policy knows what is taken up.
    const id = `${planId}/${action.operation_id}`;
    try {
      const text = await this.#options.carryOut(action, { id, author, reason, signal: this.#abort.signal });
      return { status: 'SUCCEEDED', text, error: null };
    } catch (error) {
      return { status: 'FAILED', text: '', error: { code: codeOf(error), message: errorMessage(error) } };
    }
  }

  async #note(stored: StoredPlan, index: number, change: Partial<ActionView>): Promise<void> {
    const actions = stored.view.actions.map((each, i) => (i === index ? { ...each, ...change } : each));
    stored.view = { ...stored.view, status: 'RUNNING', actions };
    await this.#store.save(stored);
  }
}

const NOT_BEGUN = { status: 'PENDING', startedAtMs: null, endedAtMs: null, text: '', error: null } as const;

/** Another attempt: what succeeded is not done again. */
function again(view: ExecutionView, author: string): ExecutionView {
  return {
    ...view,
    executionId: randomUUID(),
    attempt: view.attempt + 1,
    author,
    status: 'PENDING',
    endedAtMs: null,
    actions: view.actions.map((each) => (each.status === 'SUCCEEDED' ? each : { ...each, ...NOT_BEGUN })),
  };
}

function codeOf(error: unknown): string {
  return isVmpulseError(error) ? error.code : 'ERR_VMPULSE_INTERNAL';
}
