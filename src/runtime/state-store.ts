import type { ProbeEngine } from '../engine/probe-engine.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { Journal } from '../model/ports.js';
import { createPolicy, restore, serialize } from '../policy/index.js';
import type { PolicyConfig, PolicyState } from '../policy/types.js';

const POLICY_KEY = 'policy';
const ENGINE_KEY = 'engine';
const HOST_BOOT_KEY = 'host-boot';

/** What survives a restart of the daemon: the policy's state and the engine's thresholds, in the journal's store. */
export class StateStore {
  readonly #journal: Journal;
  readonly #deadlineMs: number;
  readonly #logger: Logger;
  #saved = '';
  /** What former runs left was read, or a person accepted its loss; until then nothing may be written over it. */
  #mayWrite = false;

  constructor(journal: Journal, deadlineMs: number, logger: Logger) {
    this.#journal = journal;
    this.#deadlineMs = deadlineMs;
    this.#logger = logger;
  }

  /**
   * The stored policy state, or a new one where none was stored. Damaged state throws ERR_VMPULSE_ARGUMENT, a journal
   * that cannot be read ERR_VMPULSE_JOURNAL: budgets and quarantines must not be forgotten silently.
   */
  async loadPolicy(config: PolicyConfig): Promise<PolicyState> {
    const text = await this.#journal.loadState(POLICY_KEY);
    const state = text === undefined ? createPolicy(config) : restore(text, config);
    this.#mayWrite = true;
    return state;
  }

  /** A person goes on without what could not be read. */
  acceptLoss(): void {
    this.#mayWrite = true;
  }

  /** Stores the policy state if it changed. Rejects with ERR_VMPULSE_JOURNAL while that of former runs is unread. */
  async savePolicy(state: PolicyState): Promise<void> {
    if (!this.#mayWrite) {
      throw new VmpulseError(
        'ERR_VMPULSE_JOURNAL',
        'the state of former runs could not be read and is not overwritten; vmpulse recovery resume goes on without it',
      );
    }
    const text = serialize(state);
    if (text === this.#saved) return;
    await this.#journal.saveState(POLICY_KEY, text, { deadlineMs: this.#deadlineMs });
    this.#saved = text;
  }

  /** Gives the engine its thresholds back. Damaged ones are dropped and said: probes find the truth again by themselves. */
  async restoreEngine(engine: ProbeEngine): Promise<void> {
    const text = await this.#journal.loadState(ENGINE_KEY);
    if (text === undefined) return;
    try {
      engine.restore(Buffer.from(text, 'base64'));
    } catch (error) {
      this.#logger.warn(
        { error: errorMessage(error) },
        'stored probe thresholds are damaged and were dropped',
      );
    }
  }

  async saveEngine(engine: ProbeEngine): Promise<void> {
    const text = Buffer.from(engine.snapshot()).toString('base64');
    await this.#journal.saveState(ENGINE_KEY, text, { deadlineMs: this.#deadlineMs });
  }

  /** Whether the host has booted since a former run; remembers this boot. */
  async hostBooted(bootId: string): Promise<boolean> {
    const former = await this.#journal.loadState(HOST_BOOT_KEY);
    if (former === bootId) return false;
    await this.#journal.saveState(HOST_BOOT_KEY, bootId, { deadlineMs: this.#deadlineMs });
    return former !== undefined;
  }
}
