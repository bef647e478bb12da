/** How far apart the same action may be: a timer of a real daemon is late. */
const SAME_MS = 30_000;

export interface Divergence {
  readonly vm: string;
  readonly atMs: number;
  /** The step that the daemon decided on; null: none. */
  readonly recorded: string | null;
  /** The step that the policy tried here decides on; null: none. */
  readonly replayed: string | null;
}

type Side = 'recorded' | 'replayed';
interface Waiting {
  readonly side: Side;
  readonly step: string;
  readonly atMs: number;
}

/** Pairs what a daemon decided to do with what the replay decides, VM by VM, in order. */
export class Matcher {
  readonly diverged: Divergence[] = [];
  readonly #waiting = new Map<string, Waiting[]>();
  #same = 0;

  /** Actions that both decided on. */
  get same(): number {
    return this.#same;
  }

  /** One side decided. Returns whether the VM has diverged by that. */
  note(side: Side, vm: string, step: string, atMs: number): boolean {
    const waiting = this.#waiting.get(vm) ?? [];
    this.#waiting.set(vm, waiting);
    const first = waiting[0];
    if (first === undefined || first.side === side) {
      waiting.push({ side, step, atMs });
      return false;
    }
    waiting.shift();
    if (waiting.length === 0) this.#waiting.delete(vm);
    if (first.step === step) {
      this.#same += 1;
      return false;
    }
    this.#diverge(vm, first, step);
    return true;
  }

  /** VMs of which one side has waited for the other for too long. */
  overdue(nowMs: number): readonly string[] {
    const late: string[] = [];
    for (const [vm, [first]] of this.#waiting) {
      if (first === undefined || nowMs - first.atMs <= SAME_MS) continue;
      this.#diverge(vm, first, null);
      late.push(vm);
    }
    return late;
  }

  #diverge(vm: string, { side, step, atMs }: Waiting, other: string | null): void {
    this.#waiting.delete(vm);
    const [recorded, replayed] = side === 'recorded' ? [step, other] : [other, step];
    this.diverged.push({ vm, atMs, recorded, replayed });
  }
}
