import type { Clock } from '../model/clock.js';
import { type FoundFault, faultsOf, isLost, type LinkInfo, tapsOf } from '../model/link.js';
import type { VmmEvent } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import type { VmUnit } from './vm-unit.js';

/** How long a device that nobody holds any more is taken for that of a VMM that is just ending. */
const ENDING_MS = 250;

type LinkEvent = VmmEvent & { readonly type: 'link' };

/** How changes of network devices are heard of and looked at. */
export interface LinkSource {
  look(name: string): LinkInfo | undefined;
  /** Tells of devices that may have changed (null: any) until the returned function is called. Throws where it cannot. */
  listen(changed: (names: readonly string[] | null) => void): () => void;
}

export interface LinkWatchOptions {
  readonly source: LinkSource;
  readonly clock: Clock;
  readonly units: ReadonlyMap<VmId, VmUnit>;
  readonly tell: (unit: VmUnit, event: LinkEvent, atMs: number) => void;
}

/** Tells at once when the host's side of a running VM's network breaks, and when it is whole again. */
export class LinkWatch {
  readonly #options: LinkWatchOptions;
  /** What was told last of each unit; empty: nothing is wrong. */
  readonly #told = new Map<VmId, string>();
  readonly #later = new Map<VmId, () => void>();
  #ignore: () => void = () => {};

  constructor(options: LinkWatchOptions) {
    this.#options = options;
  }

  /** Throws where changes cannot be heard of. */
  start(): void {
    this.#ignore = this.#options.source.listen((names) => this.#changed(names));
  }

  stop(): void {
    this.#ignore();
    for (const cancel of this.#later.values()) cancel();
    this.#later.clear();
  }

  /** A VMM was attached to: how things are now. */
  attached(unit: VmUnit): void {
    this.#told.delete(unit.spec.id);
    this.#look(unit, true);
  }

  #changed(names: readonly string[] | null): void {
    const changed = names === null ? null : new Set(names);
    for (const unit of this.#options.units.values())
      if (unit.session !== undefined && this.#isAbout(unit, changed)) this.#look(unit, false);
  }

  #isAbout({ spec }: VmUnit, changed: ReadonlySet<string> | null): boolean {
    if (changed === null) return true;
    const { look } = this.#options.source;
    return tapsOf(spec).some(({ device, bridge }) => {
      if (changed.has(device) || (bridge !== undefined && changed.has(bridge))) return true;
      const master = bridge === undefined ? look(device)?.master : undefined;
      return master != null && changed.has(master);
    });
  }

  /** `isSure`: a device that nobody holds is not that of a VMM that is just ending. */
  #look(unit: VmUnit, isSure: boolean): void {
    const { source, clock, tell } = this.#options;
    const { id } = unit.spec;
    this.#later.get(id)?.();
    this.#later.delete(id);
    const faults = tapsOf(unit.spec).flatMap((tap) => faultsOf(tap, true, source.look));
    const worst: FoundFault | undefined = faults.find(({ fault }) => isLost(fault)) ?? faults[0];
    if (worst?.fault === 'no-carrier' && !isSure) {
      this.#lookLater(unit);
      return;
    }
    const key = worst === undefined ? '' : `${worst.fault} ${worst.device}`;
    if (key === (this.#told.get(id) ?? '')) return;
    this.#told.set(id, key);
    const text = faults.map((found) => found.text).join('; ');
    tell(unit, { type: 'link', fault: worst?.fault ?? null, text }, clock.now());
  }

  #lookLater(unit: VmUnit): void {
    const { clock } = this.#options;
    const { session } = unit;
    const cancel = clock.at(clock.now() + ENDING_MS, () => {
      if (unit.session !== undefined && unit.session === session) this.#look(unit, true);
    });
    this.#later.set(unit.spec.id, cancel);
  }
}
