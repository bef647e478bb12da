import type { VmId } from '../../model/vm.js';
import { comparedAgainAfterMs } from '../../runtime/activity-watch.js';

type Activity = {
  readonly type: 'activity';
  readonly vm: VmId;
  readonly moved: readonly string[];
  readonly atMs: number;
};

/** Counters of a guest as they were last told of, and when they are compared again. */
interface Watched {
  readonly moved: readonly string[];
  readonly comparisons: number;
  /** When its timer was started. */
  readonly armedMs: number;
  readonly nextMs: number;
}

/**
 * Comparisons of the counters of guests. A journal has only those that found something else than the one before; the
 * others came in between, at the times at which a daemon compares.
 */
export class Counters {
  readonly #watched = new Map<VmId, Watched>();

  /** The comparison that comes next; undefined: none is under way. */
  get next(): Activity | undefined {
    let first: Activity | undefined;
    for (const [vm, { moved, nextMs }] of this.#watched)
      if (first === undefined || nextMs < first.atMs) first = { type: 'activity', vm, moved, atMs: nextMs };
    return first;
  }

  /** When the timer of the next comparison of that VM was started. */
  armedMs(vm: VmId): number {
    return this.#watched.get(vm)?.armedMs ?? 0;
  }

  /** One was made. */
  note({ vm, moved, atMs }: Activity): void {
    const comparisons = (this.#watched.get(vm)?.comparisons ?? 0) + 1;
    // The first reading has nothing to be compared with.
    const nextMs = atMs + comparedAgainAfterMs(comparisons + 1);
    this.#watched.set(vm, { moved, comparisons, armedMs: atMs, nextMs });
  }

  /** They are read from now on, for the first time, or not any more. */
  forget(vm: VmId): void {
    this.#watched.delete(vm);
  }

  /** The clock that their times are of was set. */
  shift(byMs: number): void {
    for (const [vm, one] of this.#watched) {
      const { armedMs, nextMs } = one;
      this.#watched.set(vm, { ...one, armedMs: armedMs + byMs, nextMs: nextMs + byMs });
    }
  }

  clear(): void {
    this.#watched.clear();
  }
}
