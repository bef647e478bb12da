import { errorMessage } from '../model/errors.js';
import type { VmmEvent } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import { LinkWatch } from './link-watch.js';
import { OomWatch } from './oom-watch.js';
import type { SupervisorOptions } from './supervisor-options.js';
import type { VmUnit } from './vm-unit.js';

export interface HostWatchesOptions
  extends Pick<SupervisorOptions, 'clock' | 'watchHost' | 'links' | 'oomKills'> {
  readonly units: ReadonlyMap<VmId, VmUnit>;
  readonly post: (event: PolicyEvent) => void;
  readonly onVmmEvent: (unit: VmUnit, event: VmmEvent, atMs: number) => void;
  readonly degrade: (what: string, why: string) => void;
}

/** What is watched of the host itself: its signs, its network devices, the processes that it ends for want of memory. */
export class HostWatches {
  readonly #options: HostWatchesOptions;
  readonly #oom: OomWatch | undefined;
  readonly #links: LinkWatch | undefined;
  #ignoreHost: () => void = () => {};

  constructor(options: HostWatchesOptions) {
    this.#options = options;
    const { clock, links, oomKills, units, onVmmEvent } = options;
    this.#oom = oomKills && new OomWatch(oomKills, clock);
    this.#links = links && new LinkWatch({ source: links, clock, units, tell: onVmmEvent });
  }

  start(): void {
    const { watchHost, post, degrade } = this.#options;
    if (watchHost) this.#ignoreHost = watchHost((signs) => post({ type: 'host-signs', signs }));
    this.#oom?.start();
    try {
      this.#links?.start();
    } catch (error) {
      degrade('links', `changes of network devices are not heard of: ${errorMessage(error)}`);
    }
  }

  stop(): void {
    this.#ignoreHost();
    this.#oom?.stop();
    this.#links?.stop();
  }

  /** A VMM was attached to: how its devices are now. */
  attached(unit: VmUnit): void {
    this.#links?.attached(unit);
  }

  /** The kernel has just ended some process for want of memory. */
  hasJustKilled(): boolean {
    return this.#oom?.hasJustKilled() ?? false;
  }
}
