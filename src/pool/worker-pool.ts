import { Piscina } from 'piscina';
import { VmpulseError } from '../model/errors.js';
import type { CallOptions } from '../model/ports.js';

export interface WorkerPoolOptions {
  /** Default 2: what runs here mostly waits for the kernel. */
  readonly maxThreads?: number;
  /** Default 1. More only for tasks that mostly wait and end by themselves: one that is ended takes its neighbours along. */
  readonly tasksPerThread?: number;
}

/** Further tasks are refused. */
const MAX_QUEUE = 1024;

/**
 * Threads for what is heavy in JavaScript or blocks for a bounded time. Knows nothing of what it runs: a task is the
 * default export of a worker module. Nothing unbounded belongs here: a blocked system call cannot be cancelled.
 */
export class WorkerPool {
  readonly #closing = new AbortController();
  readonly #maxThreads: number;
  readonly #tasksPerThread: number;
  #piscina: Piscina<unknown, unknown> | undefined;

  constructor({ maxThreads = 2, tasksPerThread = 1 }: WorkerPoolOptions = {}) {
    this.#maxThreads = maxThreads;
    this.#tasksPerThread = tasksPerThread;
  }

  /**
   * Runs the default export of `worker` (a built `.js` module) with `args`; both ways by structured clone. The result
   * comes from another thread as it is: validate it. A task over its deadline is ended with its thread.
   * Errors: ERR_VMPULSE_TIMEOUT, ERR_VMPULSE_ABORTED, ERR_VMPULSE_CLOSED, and whatever the task throws.
   */
  async run(worker: URL, args: unknown, options: CallOptions): Promise<unknown> {
    if (this.#closing.signal.aborted) throw closed();
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), options.deadlineMs);
    const signals = [
      this.#closing.signal,
      timeout.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ];
    try {
      return await this.#threads().run(args, { filename: worker.href, signal: AbortSignal.any(signals) });
    } catch (error) {
      if (this.#closing.signal.aborted) throw closed();
      if (options.signal?.aborted)
        throw new VmpulseError('ERR_VMPULSE_ABORTED', 'the pool task was withdrawn', { cause: error });
      if (timeout.signal.aborted) {
        const name = worker.pathname.split('/').pop();
        throw new VmpulseError(
          'ERR_VMPULSE_TIMEOUT',
          `pool task ${name} did not end within ${options.deadlineMs} ms`,
        );
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends every thread; outstanding tasks are refused with ERR_VMPULSE_CLOSED. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    const piscina = this.#piscina;
    this.#piscina = undefined;
    await piscina?.destroy();
  }

  #threads(): Piscina<unknown, unknown> {
    // One thread stays: a recovery should not wait for a thread to start.
    this.#piscina ??= new Piscina({
      minThreads: 1,
      maxThreads: this.#maxThreads,
      concurrentTasksPerWorker: this.#tasksPerThread,
      maxQueue: MAX_QUEUE,
      idleTimeout: 30_000,
    });
    return this.#piscina;
  }
}

function closed(): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CLOSED', 'the worker pool is closed');
}
