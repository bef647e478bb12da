import { HOST_ROW, hostText, serialize, vmRow, vmText } from '../../policy/index.js';
import type { PolicyEvent, PolicyState, StepResult } from '../../policy/types.js';
import { SAVE_POLICY_MS } from '../../runtime/state-saver.js';

/** What a daemon had stored of its policy's state, and so what the next one began with: not always the last of it. */
export class Stored {
  #rows: ReadonlyMap<string, string> | null = null;
  #dueMs: number | null = null;
  #canWrite = true;

  /** When it is stored next; null: nothing asks for it. */
  get dueMs(): number | null {
    return this.#dueMs;
  }

  get rows(): ReadonlyMap<string, string> | null {
    return this.#rows;
  }

  /** The clock that its time is of was set. */
  shift(byMs: number): void {
    if (this.#dueMs !== null) this.#dueMs += byMs;
  }

  /** A daemon begins. */
  restart(): void {
    this.#dueMs = null;
    this.#canWrite = true;
  }

  /** The policy was told something; it is stored some time after a decision, and at once where others wait for it. */
  note(event: PolicyEvent, { state, decisions }: StepResult, nowMs: number): void {
    if (event.type === 'journal') this.#canWrite = event.available;
    // The first look at all VMs is over: the daemon has begun.
    const hasBegun = event.type === 'gathering' && !event.gathering;
    if (decisions.length > 0 || hasBegun) this.#dueMs ??= nowMs + SAVE_POLICY_MS;
    if (event.type === 'host-booted' || 'author' in event) this.save(state);
  }

  /** Its time has come. */
  rings(state: PolicyState): void {
    this.#dueMs = null;
    this.save(state);
  }

  save(state: PolicyState): void {
    if (this.#canWrite) this.#rows = serialize(state);
  }

  /** An action on the VM is about to begin. */
  saveVm(state: PolicyState, id: string): void {
    const vm = state.vms.get(id);
    if (!this.#canWrite || vm === undefined) return;
    this.#rows = new Map([...(this.#rows ?? []), [HOST_ROW, hostText(state)], [vmRow(id), vmText(vm)]]);
  }
}
