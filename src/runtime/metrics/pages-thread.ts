import { Worker } from 'node:worker_threads';
import { Deadline } from '../../model/deadline.js';
import { VmpulseError } from '../../model/errors.js';
import type { VmId } from '../../model/vm.js';
import type { VmRow } from './vm-row.js';

/** How a body is compressed. */
export type Encoding = 'identity' | 'gzip';

export interface PagesOptions {
  readonly seedNames: boolean;
}

export type PagesRequest =
  | { readonly type: 'rows'; readonly rows: readonly VmRow[]; readonly gone: readonly VmId[] }
  | { readonly type: 'render'; readonly id: number; readonly head: string; readonly encoding: Encoding };

export interface PagesReply {
  readonly id: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

interface Waiting {
  readonly resolve: (body: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: VmpulseError) => void;
}

/** Works from src/ and from dist/: worker modules are always the built ones. */
const WORKER = new URL('../../../dist/runtime/metrics/worker.js', import.meta.url);

/** One life of the thread that keeps the text of the VMs' metrics; it keeps the process alive only while it is asked. */
export class PagesThread {
  readonly seedNames: boolean;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: VmpulseError | undefined;

  constructor(options: PagesOptions) {
    this.seedNames = options.seedNames;
    this.#worker = new Worker(WORKER, { name: 'vmpulse-metrics', workerData: options });
    this.#worker.on('message', ({ id, body }: PagesReply) => {
      this.#waiting.get(id)?.resolve(body);
      this.#settle(id);
    });
    this.#worker.on('error', (error) => this.#end(`the thread of the metrics failed: ${error.message}`));
    this.#worker.on('exit', () => this.#end('the thread of the metrics ended'));
    // After the listeners: adding one for messages would keep the process alive again.
    this.#worker.unref();
  }

  /** It answers no more. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  send(rows: readonly VmRow[], gone: readonly VmId[]): void {
    const request: PagesRequest = { type: 'rows', rows, gone };
    this.#worker.postMessage(request);
  }

  /** `head` and the text of all VMs. A thread that does not answer in time is ended. Rejects with ERR_VMPULSE_TIMEOUT, ERR_VMPULSE_INTERNAL. */
  async render(head: string, encoding: Encoding, deadlineMs: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#ended) throw this.#ended;
    const id = this.#nextId++;
    const answer = new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject }),
    );
    this.#worker.ref();
    const request: PagesRequest = { type: 'render', id, head, encoding };
    this.#worker.postMessage(request);
    try {
      return await new Deadline('the text of the metrics', { deadlineMs }).race(answer);
    } catch (error) {
      answer.catch(() => {});
      void this.close();
      throw error;
    } finally {
      this.#settle(id);
    }
  }

  async close(): Promise<void> {
    this.#end('the thread of the metrics was ended');
    await this.#worker.terminate();
  }

  #settle(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = new VmpulseError('ERR_VMPULSE_INTERNAL', why);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
