import type { Clock } from '../model/clock.js';
import type { GuestCounter, VmmSession } from '../model/ports.js';
import type { VmId } from '../model/vm.js';
import type { PolicyEvent } from '../policy/types.js';
import type { VmUnit } from './vm-unit.js';

/** How soon the next comparison comes: soon while nothing is known, then as often as the veto's window needs. */
const SOON_MS = 2_000;
const THEN_MS = 10_000;
const SOON_COMPARISONS = 15;
const READ_MS = 1_000;
/** Reads at once: in a storm of failures the rest waits for its next turn. */
const MAX_AT_ONCE = 32;

/** How long after that many readings of the counters of a VM they are read again, ms. */
export function comparedAgainAfterMs(readings: number): number {
  return readings < SOON_COMPARISONS ? SOON_MS : THEN_MS;
}

interface Watch {
  cancel: () => void;
  turns: number;
  /** The last counters, and the attachment that they belong to. */
  last?: { readonly session: VmmSession; readonly counters: readonly GuestCounter[] };
}

/** Compares what guests have done with what they had done before, for VMs that something is suspected of. */
export class ActivityWatch {
  readonly #clock: Clock;
  readonly #post: (event: PolicyEvent) => void;
  readonly #watches = new Map<VmId, Watch>();
  #reading = 0;

  constructor(clock: Clock, post: (event: PolicyEvent) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  watch(unit: VmUnit): void {
    this.unwatch(unit.spec.id);
    const watch: Watch = { cancel: () => {}, turns: 0 };
    this.#watches.set(unit.spec.id, watch);
    void this.#turn(unit, watch);
  }

  unwatch(vm: VmId): void {
    this.#watches.get(vm)?.cancel();
    this.#watches.delete(vm);
  }

  stop(): void {
    for (const vm of [...this.#watches.keys()]) this.unwatch(vm);
  }

  async #turn(unit: VmUnit, watch: Watch): Promise<void> {
    if (this.#reading < MAX_AT_ONCE) {
      this.#reading += 1;
      try {
        await this.#compare(unit, watch);
      } finally {
        this.#reading -= 1;
      }
    }
    if (this.#watches.get(unit.spec.id) !== watch) return;
    watch.turns += 1;
    const atMs = this.#clock.now() + comparedAgainAfterMs(watch.turns);
    watch.cancel = this.#clock.at(atMs, () => void this.#turn(unit, watch));
  }

  async #compare(unit: VmUnit, watch: Watch): Promise<void> {
    const { session } = unit;
    const read = await countersOf(session);
    if (session === undefined || read === undefined || read.length === 0) return;
    const vm = unit.spec.id;
    if (unit.session !== session || this.#watches.get(vm) !== watch) return;
    const before = watch.last?.session === session ? watch.last.counters : undefined;
    watch.last = { session, counters: read };
    if (before) this.#post({ type: 'activity', vm, moved: movedIn(read, before), atMs: this.#clock.now() });
  }
}

/** Counters that cannot be read say nothing, which is what no event says. */
async function countersOf(session: VmmSession | undefined): Promise<readonly GuestCounter[] | undefined> {
  try {
    return await session?.counters?.({ deadlineMs: READ_MS });
  } catch {
    return undefined;
  }
}

/** A VM has a handful: they are searched. */
function movedIn(read: readonly GuestCounter[], before: readonly GuestCounter[]): readonly string[] {
  const moved: string[] = [];
  for (const { name, value } of read) {
    const former = before.find((counter) => counter.name === name);
    if (former !== undefined && value > former.value) moved.push(name);
  }
  return moved;
}
