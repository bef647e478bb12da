import type { Clock } from '../model/clock.js';
import type { VmId } from '../model/vm.js';
import type { Degradation } from './views.js';

const NONE: readonly Degradation[] = [];

/** What does not work as it should right now, by name. */
export class Degradations {
  readonly #clock: Clock;
  readonly #onChange: (vm: VmId) => void;
  readonly #byName = new Map<string, Degradation>();
  /** Names by the VM that they are about: metrics ask for each of thousands of VMs. */
  readonly #byVm = new Map<VmId, Set<string>>();

  /** `onChange`: of what a VM has. */
  constructor(clock: Clock, onChange: (vm: VmId) => void = () => {}) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  set(what: string, why: string): void {
    const known = this.#byName.get(what);
    this.#byName.set(what, { what, why, sinceMs: known?.sinceMs ?? this.#clock.now() });
    const vm = vmOf(what);
    this.#byVm.set(vm, (this.#byVm.get(vm) ?? new Set()).add(what));
    this.#onChange(vm);
  }

  /** Of this name, or of a name below it. */
  clear(what: string): void {
    for (const name of this.#byName.keys())
      if (name === what || name.startsWith(`${what}/`)) this.#remove(name);
  }

  #remove(name: string): void {
    this.#byName.delete(name);
    const vm = vmOf(name);
    const names = this.#byVm.get(vm);
    names?.delete(name);
    if (names?.size === 0) this.#byVm.delete(vm);
    this.#onChange(vm);
  }

  list(): readonly Degradation[] {
    return [...this.#byName.values()];
  }

  /** Those of one VM: their names have its id after the first part. */
  about(vm: VmId): readonly Degradation[] {
    const names = this.#byVm.get(vm);
    return names === undefined ? NONE : [...names].flatMap((name) => this.#byName.get(name) ?? []);
  }
}

/** The VM that a degradation is about, as its name says; empty: none. */
function vmOf(what: string): VmId {
  const [, namespace = '', name = ''] = what.split('/');
  return name === '' ? '' : `${namespace}/${name}`;
}
