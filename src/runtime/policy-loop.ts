import type { Clock } from '../model/clock.js';
import { step } from '../policy/index.js';
import type { Decision, PolicyEffect, PolicyEvent, PolicyState } from '../policy/types.js';

export interface PolicyLoopOptions {
  readonly state: PolicyState;
  readonly clock: Clock;
  readonly onDecisions: (decisions: readonly Decision[]) => void;
  readonly onEffect: (effect: PolicyEffect) => void;
}

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

  constructor(options: PolicyLoopOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get state(): PolicyState {
    return this.#state;
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
    const result = step(this.#state, event, this.#options.clock.now());
    this.#state = result.state;
    if (result.decisions.length > 0) this.#options.onDecisions(result.decisions);
    for (const effect of result.effects) this.#options.onEffect(effect);
    this.#wake(result.wakeAtMs);
  }

  #wake(atMs: number | null): void {
    if (atMs === this.#wakeAtMs) return;
    this.#cancelWake();
    this.#wakeAtMs = atMs;
    if (atMs === null || this.#stopped) return;
    this.#cancelWake = this.#options.clock.at(atMs, () => {
      this.#wakeAtMs = null;
      this.post({ type: 'tick' });
    });
  }
}
