import type { Clock } from '../model/clock.js';
import type { VmId } from '../model/vm.js';
import type { Degradation } from './views.js';

/** What does not work as it should right now, by name. */
export class Degradations {
  readonly #clock: Clock;
  readonly #byName = new Map<string, Degradation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(what: string, why: string): void {
    const known = this.#byName.get(what);
    this.#byName.set(what, { what, why, sinceMs: known?.sinceMs ?? this.#clock.now() });
  }

  /** Of this name, or of a name below it. */
  clear(what: string): void {
    for (const name of this.#byName.keys())
      if (name === what || name.startsWith(`${what}/`)) this.#byName.delete(name);
  }

  list(): readonly Degradation[] {
    return [...this.#byName.values()];
  }

  /** Those of one VM: their names have its id after the first part. */
  about(vm: VmId): readonly Degradation[] {
    const isAbout = (below: string) => below === vm || below.startsWith(`${vm}/`);
    return this.list().filter(({ what }) => isAbout(what.slice(what.indexOf('/') + 1)));
  }
}
