import { errorMessage, VmpulseError } from '../../model/errors.js';
import type { Journal } from '../../model/ports.js';
import { EMPTY_GROUP, type SecurityGroup, storedGroupSchema } from './group.js';

const PREFIX = 'security-group/';
/** That vmpulse's tables were made by a run with this state. */
const APPLIED = 'network-rules-applied';

/** Security groups in the journal's store: a row a group. */
export class GroupStore {
  readonly #journal: Journal;
  readonly #deadlineMs: number;
  readonly #groups = new Map<string, SecurityGroup>();
  #hasApplied = false;
  /** What former runs left was read; until then nothing is written over it. */
  #isLoaded = false;

  constructor(journal: Journal, deadlineMs: number) {
    this.#journal = journal;
    this.#deadlineMs = deadlineMs;
  }

  get groups(): ReadonlyMap<string, SecurityGroup> {
    return this.#groups;
  }

  get hasApplied(): boolean {
    return this.#hasApplied;
  }

  /** Rejects with ERR_VMPULSE_JOURNAL: what was let through and what not must not be forgotten silently. */
  async load(): Promise<void> {
    const stored = await this.#journal.loadState(PREFIX);
    for (const [key, text] of stored) this.#groups.set(key.slice(PREFIX.length), parse(key, text));
    this.#hasApplied = (await this.#journal.loadState(APPLIED)).has(APPLIED);
    this.#isLoaded = true;
  }

  /** Stores a group, and forgets one that says nothing. Rejects with ERR_VMPULSE_JOURNAL; nothing has changed then. */
  async set(name: string, group: SecurityGroup): Promise<void> {
    this.assertLoaded();
    const isEmpty = group.policy === null && group.rules.length === 0;
    await this.#save(PREFIX + name, isEmpty ? null : JSON.stringify(group));
    if (isEmpty) this.#groups.delete(name);
    else this.#groups.set(name, group);
  }

  /** Throws ERR_VMPULSE_JOURNAL while it is not known what former runs let through. */
  assertLoaded(): void {
    if (this.#isLoaded) return;
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      'the security groups of former runs could not be read, so no rules are made or changed; restart the daemon once they can',
    );
  }

  async noteApplied(applied: boolean): Promise<void> {
    if (applied === this.#hasApplied) return;
    await this.#save(APPLIED, applied ? 'yes' : null);
    this.#hasApplied = applied;
  }

  group(name: string): SecurityGroup {
    return this.#groups.get(name) ?? EMPTY_GROUP;
  }

  async #save(key: string, value: string | null): Promise<void> {
    await this.#journal.saveState(new Map([[key, value]]), { deadlineMs: this.#deadlineMs });
  }
}

function parse(key: string, text: string): SecurityGroup {
  try {
    return storedGroupSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      `what is stored as ${key} is damaged: ${errorMessage(error)}`,
    );
  }
}
