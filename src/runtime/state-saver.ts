import type { ProbeEngine } from '../engine/probe-engine.js';
import type { Clock } from '../model/clock.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmId } from '../model/vm.js';
import type { PolicyState } from '../policy/types.js';
import { Later } from './later.js';
import type { StateStore } from './state-store.js';

/** How long after a decision the policy's state is stored, ms. */
export const SAVE_POLICY_MS = 1_000;
const SAVE_ENGINE_MS = 10_000;

export interface StateSaverOptions {
  readonly store: StateStore;
  readonly engine: ProbeEngine;
  readonly state: () => PolicyState;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Stores what policy and engine know, soon after it changed. What cannot be stored is told and tried at the next change. */
export class StateSaver {
  readonly #options: StateSaverOptions;
  readonly #policyLater: Later;
  readonly #engineLater: Later;
  /** VMs that may have changed since they were stored. */
  #looked = new Set<VmId>();

  constructor(options: StateSaverOptions) {
    this.#options = options;
    this.#policyLater = new Later(options.clock, SAVE_POLICY_MS, () => void this.savePolicy());
    this.#engineLater = new Later(options.clock, SAVE_ENGINE_MS, () => void this.saveEngine());
  }

  /** These VMs may have changed. */
  looked(vms: readonly VmId[]): void {
    for (const vm of vms) this.#looked.add(vm);
  }

  policyChanged(): void {
    this.#policyLater.want();
  }

  engineChanged(): void {
    this.#engineLater.want();
  }

  /** Nothing is stored any more unless asked for. */
  cancel(): void {
    this.#policyLater.cancel();
    this.#engineLater.cancel();
  }

  /** Never rejects. */
  async savePolicy(): Promise<void> {
    const { store, state } = this.#options;
    const looked = this.#looked;
    this.#looked = new Set();
    try {
      await store.savePolicy(state(), looked);
    } catch (error) {
      for (const vm of looked) this.#looked.add(vm);
      this.failed(error);
    }
  }

  /** Never rejects. */
  async saveEngine(): Promise<void> {
    const { store, engine } = this.#options;
    await store.saveEngine(engine).catch((error) => this.failed(error));
  }

  /** After a boot of the host nothing runs because nothing was started yet: `booted` is told of it. Never rejects. */
  async noteHostBoot(bootId: string, booted: () => void): Promise<void> {
    const { store } = this.#options;
    try {
      if (await store.hostBooted(bootId)) {
        booted();
        // A daemon that dies before this is stored must learn of the boot again.
        await this.savePolicy();
      }
      await store.rememberBoot(bootId);
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error: unknown): void {
    this.#options.logger.warn({ error: errorMessage(error) }, 'the state could not be stored');
  }
}
