import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import { type KeptBy, ReadyList } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import { Later } from './later.js';

/**
 * The list of a large host is long: to store it each second would be a tenth of what the main thread has to do. So old is it
 * for a daemon after one that was killed; a fresh look at once says what is not so any more.
 */
const SAVE_MS = 5_000;

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
  /** These came or left. */
  readonly onOthers: (vms: readonly VmId[]) => void;
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
  readonly #list: ReadyList;
  /** VMs that may have changed since the list was brought up to date. */
  readonly #looked: Set<VmId>;
  /** It was not brought up to date since the last step. */
  #isOld = true;
  /** It is what was stored last. */
  #isSaved = true;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#list = new ReadyList(options.before);
    this.#looked = new Set([...options.before, ...options.state().vms.keys()]);
    this.#saveLater = new Later(options.clock, SAVE_MS, () => void this.save());
  }

  /** The policy's state may have changed: that of these VMs, and that of the host. */
  changed(looked: readonly VmId[]): void {
    // What concerns the whole host has those looked at that it may keep in the list or let go of.
    if (looked.length === 0) return;
    for (const vm of looked) this.#looked.add(vm);
    this.#isOld = true;
    this.#saveLater.want();
  }

  of(vm: VmId): Listing {
    const list = this.#current();
    return { listed: list.listed.has(vm), keptBy: list.keptBy(this.#options.state(), vm) };
  }

  /** Who stands in it now. */
  get listed(): ReadonlySet<VmId> {
    return this.#current().listed;
  }

  /** Stores the list if it changed. Never rejects: the next change stores it again. */
  async save(): Promise<void> {
    const { listed } = this.#current();
    if (this.#isSaved) return;
    this.#isSaved = true;
    try {
      await this.#options.save([...listed]);
    } catch (error) {
      this.#isSaved = false;
      this.#options.logger.warn({ error: errorMessage(error) }, 'the list of endpoints could not be stored');
    }
  }

  close(): void {
    this.#saveLater.cancel();
  }

  #current(): ReadyList {
    if (!this.#isOld) return this.#list;
    this.#isOld = false;
    const others = this.#list.update(this.#options.state(), this.#looked);
    if (others.length > 0) this.#isSaved = false;
    this.#options.onOthers(others);
    this.#looked.clear();
    return this.#list;
  }
}
