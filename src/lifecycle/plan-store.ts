import { createHash } from 'node:crypto';
import { z } from 'zod';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { Journal } from '../model/ports.js';
import { type ExecutionView, executionSchema, isOver } from './execution.js';
import { type Plan, parsePlan } from './plan.js';

const PREFIX = 'plan/';
const KEPT = 500;
const STORED = z.object({ digest: z.string(), plan: z.unknown(), view: executionSchema });

/** A plan with what has become of it. */
export interface StoredPlan {
  /** Of its actions: the same key for other actions is a mistake. */
  readonly digest: string;
  readonly plan: Plan;
  view: ExecutionView;
}

export type PlanJournal = Pick<Journal, 'saveState' | 'loadState'>;

/** Plans by their idempotency key, durable in the journal; the newest ones are kept. */
export class PlanStore {
  readonly #journal: PlanJournal;
  readonly #logger: Logger;
  readonly #deadlineMs: number;
  readonly #byKey = new Map<string, StoredPlan>();

  constructor(journal: PlanJournal, logger: Logger, deadlineMs: number) {
    this.#journal = journal;
    this.#logger = logger;
    this.#deadlineMs = deadlineMs;
  }

  /** Newest first. */
  list(): StoredPlan[] {
    return [...this.#byKey.values()].sort((a, b) => b.view.createdAtMs - a.view.createdAtMs);
  }

  get(key: string): StoredPlan | undefined {
    return this.#byKey.get(key);
  }

  async load(): Promise<void> {
    for (const [row, text] of await this.#journal.loadState(PREFIX)) {
      try {
        const { digest, plan, view } = STORED.parse(JSON.parse(text));
        this.#byKey.set(view.idempotencyKey, { digest, plan: parsePlan(plan), view });
      } catch (error) {
        this.#logger.warn({ row, error: errorMessage(error) }, 'a stored plan is damaged and was dropped');
      }
    }
  }

  /** Resolves once durable; rejects with ERR_VMPULSE_JOURNAL. */
  async save(stored: StoredPlan): Promise<void> {
    const key = stored.view.idempotencyKey;
    const values = new Map<string, string | null>([[rowOf(key), JSON.stringify(stored)]]);
    const over = this.list().filter(({ view }) => isOver(view) && view.idempotencyKey !== key);
    for (const old of over.slice(KEPT - 1)) values.set(rowOf(old.view.idempotencyKey), null);
    await this.#journal.saveState(values, { deadlineMs: this.#deadlineMs });
    this.#byKey.set(key, stored);
    for (const old of over.slice(KEPT - 1)) this.#byKey.delete(old.view.idempotencyKey);
  }
}

function rowOf(key: string): string {
  return PREFIX + createHash('sha256').update(key).digest('hex');
}
