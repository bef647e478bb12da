import { VmpulseError } from '../model/errors.js';
import type { Completion } from './backend.js';

interface Pending {
  readonly resolve: (answer: Completion) => void;
  readonly reject: (error: VmpulseError) => void;
}

const MAX_CALL = 2 ** 32 - 1;

/** Promises of calls that the backend will complete, by number. Each ends once. */
export class PendingCalls {
  readonly #pending = new Map<number, Pending>();
  readonly #cancel: (call: number) => void;
  readonly #changed: () => void;
  #last = 0;

  /** `cancel` tells the backend that nobody waits; `changed` follows a change of `size`. */
  constructor(cancel: (call: number) => void, changed: () => void) {
    this.#cancel = cancel;
    this.#changed = changed;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Begins a call. What `begin` throws rejects; an abort rejects with ERR_VMPULSE_ABORTED at once. */
  start(begin: (call: number) => void, signal: AbortSignal | undefined): Promise<Completion> {
    if (signal?.aborted === true) return Promise.reject(aborted(signal));
    return new Promise((resolve, reject) => {
      const call = this.#next();
      begin(call);
      const onAbort = () => {
        if (!this.#end(call)) return;
        this.#cancel(call);
        reject(aborted(signal));
      };
      this.#pending.set(call, {
        resolve: (answer) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(answer);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#changed();
    });
  }

  /** Ends the call that a completion is for; one that nobody waits for is dropped. */
  complete(completion: Completion): void {
    const pending = this.#pending.get(completion.call);
    if (!this.#end(completion.call)) return;
    if ('error' in completion) pending?.reject(completion.error);
    else pending?.resolve(completion);
  }

  /** Ends all calls. */
  rejectAll(makeError: () => VmpulseError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) pending.reject(makeError());
    this.#changed();
  }

  #end(call: number): boolean {
    const existed = this.#pending.delete(call);
    if (existed) this.#changed();
    return existed;
  }

  #next(): number {
    do this.#last = this.#last === MAX_CALL ? 1 : this.#last + 1;
    while (this.#pending.has(this.#last));
    return this.#last;
  }
}

function aborted(signal: AbortSignal | undefined): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ABORTED', 'the call was aborted by its signal', {
    cause: signal?.reason,
  });
}
