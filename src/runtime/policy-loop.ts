import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { VmId } from '../model/vm.js';
import { assertInvariants, step } from '../policy/index.js';
import type { Decision, PolicyEffect, PolicyEvent, PolicyState, StepResult } from '../policy/types.js';

export interface PolicyLoopOptions {
  readonly state: PolicyState;
  readonly clock: Clock;
  /** An event is about to be given to the policy. */
  readonly onEvent: (event: PolicyEvent) => void;
  readonly onDecisions: (decisions: readonly Decision[]) => void;
  readonly onEffect: (effect: PolicyEffect) => void;
  /** The state of these VMs, and that of the host, may have changed. */
  readonly onStep: (looked: readonly VmId[]) => void;
  /** The policy broke a rule of its own: no action of that step is carried out, and all recovery is to hold. */
  readonly onViolation: (what: string) => void;
}

/** When an action that broke an invariant may be offered again; the hold lasts until a person ends it. */
const VIOLATION_RETRY_MS = 60_000;

/**
 * The one loop that owns the policy's state: events go in one at a time, in order, and its timer is set to when the
 * policy wants to be asked again. An event posted by an effect waits for the current one to end.
 */
export class PolicyLoop {
  readonly #options: PolicyLoopOptions;
  readonly #queue: PolicyEvent[] = [];
  #state: PolicyState;
  #busy = false;
  #stopped = false;
  #cancelWake: () => void = () => {};
  #wakeAtMs: number | null = null;
  /** The same on the monotonic clock. */
  #wakeDueMs = 0;

  constructor(options: PolicyLoopOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get state(): PolicyState {
    return this.#state;
  }

  /** How long ago the policy wanted to be asked, and was not; 0: not at all. A step of the wall clock is no delay. */
  get overdueMs(): number {
    if (this.#wakeAtMs === null || this.#stopped) return 0;
    return Math.max(0, performance.now() - this.#wakeDueMs);
  }

  post(event: PolicyEvent): void {
    if (this.#stopped) return;
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#run(next);
    } finally {
      this.#busy = false;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    this.#cancelWake();
  }

  #run(event: PolicyEvent): void {
    const now = this.#options.clock.now();
    this.#options.onEvent(event);
    const result = step(this.#state, event, now);
    this.#state = result.state;
    this.#options.onStep(result.looked);
    if (result.decisions.length > 0) this.#options.onDecisions(result.decisions);
    const violation = violationOf(result, now);
    if (violation === undefined) for (const effect of result.effects) this.#options.onEffect(effect);
    else this.#withhold(result, violation, now);
    this.#wake(result.wakeAtMs);
  }

  #withhold(result: StepResult, violation: string, now: number): void {
    this.#options.onViolation(violation);
    for (const effect of result.effects) {
      if (effect.type !== 'recover') {
        this.#options.onEffect(effect);
        continue;
      }
      const { vm, id } = effect.action;
      const retryAtMs = now + VIOLATION_RETRY_MS;
      this.#queue.push({
        type: 'action-held',
        vm,
        actionId: id,
        rule: 'action-held',
        reason: violation,
        retryAtMs,
      });
    }
  }

  #wake(atMs: number | null): void {
    if (atMs === this.#wakeAtMs) return;
    this.#cancelWake();
    this.#wakeAtMs = atMs;
    if (atMs === null || this.#stopped) return;
    this.#wakeDueMs = performance.now() + Math.max(0, atMs - this.#options.clock.now());
    this.#cancelWake = this.#options.clock.at(atMs, () => {
      this.#wakeAtMs = null;
      this.post({ type: 'tick' });
    });
  }
}

function violationOf(result: StepResult, now: number): string | undefined {
  try {
    assertInvariants(result.state, result, now);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
