import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import { type KeptBy, keepsPlace, listReady, type ReadyList } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import { Later } from './later.js';

/** Making the list looks at all VMs: with many that change it is a cost of its own, and a former list may be this old. */
const SAVE_MS = 1_000;

/** The place of one VM in the list of endpoints. */
export interface Listing {
  readonly listed: boolean;
  /** Null: it is ready, or not listed. */
  readonly keptBy: KeptBy | null;
}

export interface ReadinessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: () => PolicyState;
  /** Who was listed by a former run. */
  readonly before: readonly VmId[];
  /** Stores who is listed. */
  readonly save: (listed: readonly VmId[]) => Promise<void>;
}

/**
 * The list of endpoints: which VMs get traffic. It is made from the policy's state when somebody asks after a change,
 * and follows from the list before; so it outlives the daemon.
 */
export class ReadinessList {
  readonly #options: ReadinessOptions;
  readonly #saveLater: Later;
  #list: ReadyList;
  /** The state may have changed since the list was made. */
  #isOld = true;
  /** What was stored last. */
  #saved: ReadonlySet<VmId>;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#list = { listed: new Set(options.before), kept: new Map() };
    this.#saved = this.#list.listed;
    this.#saveLater = new Later(options.clock, SAVE_MS, () => void this.save());
  }

  /** The policy's state may have changed. */
  changed(): void {
    this.#isOld = true;
    this.#saveLater.want();
  }

  of(vm: VmId): Listing {
    // While everything fails each look would make the list of all VMs anew, mostly to find the VM where it was.
    if (this.#isOld) {
      const { listed } = this.#list;
      const keptBy = keepsPlace(this.#options.state(), vm, listed);
      if (keptBy !== undefined) return { listed: listed.has(vm), keptBy };
    }
    const { listed, kept } = this.#current();
    return { listed: listed.has(vm), keptBy: kept.get(vm) ?? null };
  }

  /** Who stands in it now. */
  get listed(): ReadonlySet<VmId> {
    return this.#current().listed;
  }

  /** Stores the list if it changed. Never rejects: the next change stores it again. */
  async save(): Promise<void> {
    const { listed } = this.#current();
    // One that is not made anew is the same.
    if (listed === this.#saved) return;
    try {
      await this.#options.save([...listed]);
      this.#saved = listed;
    } catch (error) {
      this.#options.logger.warn({ error: errorMessage(error) }, 'the list of endpoints could not be stored');
    }
  }

  close(): void {
    this.#saveLater.cancel();
  }

  #current(): ReadyList {
    if (this.#isOld) this.#list = listReady(this.#options.state(), this.#list.listed);
    this.#isOld = false;
    return this.#list;
  }
}
