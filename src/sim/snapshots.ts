import type { SavedThresholds } from '../engine/thresholds.js';
import { VmpulseError } from '../model/errors.js';
import { type Frozen, sleptThrough } from './sim-target.js';

/** More than one, as the newest may not have reached the disk. */
const KEPT = 4;

interface Snapshot {
  readonly atMs: number;
  readonly offsetMs: number;
  readonly frozen: readonly Frozen[];
}

/** The engine's snapshots of one host, by name: what the journal stores is the name. */
export class Snapshots {
  readonly #kept = new Map<string, Snapshot>();
  readonly #clock: () => { readonly nowMs: number; readonly wallMs: number };
  #count = 0;

  constructor(clock: () => { readonly nowMs: number; readonly wallMs: number }) {
    this.#clock = clock;
  }

  /** Returns the name under which it is found. */
  keep(frozen: readonly Frozen[]): string {
    const { nowMs, wallMs } = this.#clock();
    const name = `snapshot ${++this.#count}`;
    this.#kept.set(name, { atMs: nowMs, offsetMs: wallMs - nowMs, frozen });
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(old);
    }
    return name;
  }

  /** The thresholds by the hash of the target's id. Throws ERR_VMPULSE_ARGUMENT where there is none of that name. */
  find(name: string): (readonly [hash: bigint, SavedThresholds])[] {
    const found = this.#kept.get(name);
    if (!found) throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `there is no ${name}`);
    return found.frozen.map(({ hash, saved, slept }) => [
      hash,
      slept === null ? saved : sleptThrough(saved, slept, found.atMs, found.offsetMs),
    ]);
  }
}
