import { Worker } from 'node:worker_threads';
import { VmpulseError } from '../../model/errors.js';
import type { JournalCommand, JournalReply, JournalRequest, JournalResults } from './protocol.js';
import type { StoreOptions } from './store.js';

const WORKER_URL = new URL('../../../dist/runtime/journal/worker.js', import.meta.url);

interface Outstanding {
  readonly resolve: (value: never) => void;
  readonly reject: (error: VmpulseError) => void;
}

/**
 * Owns the journal's Worker: starts one at the first request and after it died, and matches answers to requests.
 *
 * The Worker is never terminated: inside a call of SQLite that aborts the whole process (the binding panics). For the
 * same reason it keeps the process alive while it works on something, and only then.
 */
export class WorkerLink {
  readonly #options: StoreOptions;
  readonly #outstanding = new Map<number, Outstanding>();
  #worker: Worker | undefined;
  #nextId = 1;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** Resolves with the answer; rejects with the coded error the Worker gave, or ERR_VMPULSE_JOURNAL when it died. */
  request<C extends JournalCommand>(command: C): Promise<JournalResults[C['op']]> {
    const worker = this.#worker ?? this.#start();
    const request: JournalRequest = { id: this.#nextId++, command };
    return new Promise((resolve, reject) => {
      this.#outstanding.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  /** Lets the Worker close its file and end. Rejects with ERR_VMPULSE_JOURNAL when it dies before that. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    await this.request({ op: 'close' });
    await exited;
  }

  #start(): Worker {
    const worker = new Worker(WORKER_URL, { name: 'vmpulse-journal', workerData: this.#options });
    worker.on('message', (reply: JournalReply) => this.#settle(reply));
    worker.on('error', (error) => this.#lose(worker, `the journal's thread failed: ${error.message}`));
    worker.on('exit', () => this.#lose(worker, "the journal's thread ended"));
    // After the listeners: adding one for messages would keep the process alive again.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #settle(reply: JournalReply): void {
    const waiting = this.#outstanding.get(reply.id);
    this.#outstanding.delete(reply.id);
    if (this.#outstanding.size === 0) this.#worker?.unref();
    if (reply.ok) waiting?.resolve(reply.value as never);
    else waiting?.reject(new VmpulseError(reply.code, reply.message));
  }

  #lose(worker: Worker, why: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    const lost = [...this.#outstanding.values()];
    this.#outstanding.clear();
    for (const waiting of lost) waiting.reject(new VmpulseError('ERR_VMPULSE_JOURNAL', why));
  }
}
