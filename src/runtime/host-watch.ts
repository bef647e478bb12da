import type { Clock } from '../model/clock.js';
import type { PolicyEvent } from '../policy/types.js';

type HostSigns = Extract<PolicyEvent, { type: 'host-signs' }>['signs'];

export type ReadHostSigns = (before: HostSigns, now: number) => HostSigns;

const PERIOD_MS = 2_000;

/** Looks at the host from time to time and tells the policy what changed. */
export class HostWatch {
  readonly #read: ReadHostSigns;
  readonly #clock: Clock;
  readonly #post: (event: PolicyEvent) => void;
  #signs: HostSigns = { shutdown: null, pressure: null };
  #cancel: () => void = () => {};

  constructor(read: ReadHostSigns, clock: Clock, post: (event: PolicyEvent) => void) {
    this.#read = read;
    this.#clock = clock;
    this.#post = post;
  }

  /** Looks now and again every 2 s, until stopped. */
  start(): void {
    const now = this.#clock.now();
    const signs = this.#read(this.#signs, now);
    const changed = JSON.stringify(signs) !== JSON.stringify(this.#signs);
    this.#signs = signs;
    if (changed) this.#post({ type: 'host-signs', signs });
    this.#cancel = this.#clock.at(now + PERIOD_MS, () => this.start());
  }

  stop(): void {
    this.#cancel();
  }
}
