import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import { type Listing, listReady } from '../policy/index.js';
import type { PolicyState } from '../policy/types.js';
import { Later } from './later.js';

/** Making the list looks at all VMs: with many that change it is a cost of its own, and a former list may be this old. */
const SAVE_MS = 1_000;

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
  #before: ReadonlySet<VmId>;
  #list: ReadonlyMap<VmId, Listing> | undefined;
  #saved: string;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#before = new Set(options.before);
    this.#saved = JSON.stringify(options.before);
    this.#saveLater = new Later(options.clock, SAVE_MS, () => void this.save());
  }

  /** The policy's state may have changed. */
  changed(): void {
    this.#list = undefined;
    this.#saveLater.want();
  }

  of(vm: VmId): Listing {
    return this.#current().get(vm) ?? { vm, listed: false, keptBy: null };
  }

  /** Stores the list if it changed. Never rejects: the next change stores it again. */
  async save(): Promise<void> {
    this.#current();
    const listed = [...this.#before];
    const text = JSON.stringify(listed);
    if (text === this.#saved) return;
    try {
      await this.#options.save(listed);
      this.#saved = text;
    } catch (error) {
      this.#options.logger.warn({ error: errorMessage(error) }, 'the list of endpoints could not be stored');
    }
  }

  close(): void {
    this.#saveLater.cancel();
  }

  #current(): ReadonlyMap<VmId, Listing> {
    if (this.#list) return this.#list;
    const listings = listReady(this.#options.state(), this.#before);
    this.#before = new Set(listings.filter(({ listed }) => listed).map(({ vm }) => vm));
    this.#list = new Map(listings.map((listing) => [listing.vm, listing]));
    return this.#list;
  }
}
