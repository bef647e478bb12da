import type { SourceFile } from '../config/index.js';
import { errorMessage } from '../model/errors.js';
import type { Logger } from '../model/logger.js';
import type { VmSpec } from '../model/vm.js';
import { WorkerPool } from '../pool/index.js';
import { type AskAddresses, searchInto } from './discover.js';
import { FoundList, filesOf } from './found-list.js';

/** From the end of one search to the begin of the next, ms. */
const EVERY_MS = 10_000;
const DEADLINE_MS = 10_000;

/** Searches the host for VMs again and again. */
export class HostSearch {
  readonly #list = new FoundList();
  readonly #pool = new WorkerPool({ maxThreads: 1 });
  readonly #stop = new AbortController();
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #told = '';

  constructor({ everyMs = EVERY_MS }: { readonly everyMs?: number } = {}) {
    this.#everyMs = everyMs;
  }

  /** The documents of what was found, but for VMs that are watched by others. */
  documents(known: readonly VmSpec[]): readonly SourceFile[] {
    return filesOf(this.#list.list(known));
  }

  /** Searches once. Rejects where the host cannot be looked at. `ask`: default nobody. */
  async look(ask?: AskAddresses): Promise<void> {
    const { signal } = this.#stop;
    await searchInto(this.#list, this.#pool, { deadlineMs: DEADLINE_MS, signal }, ask);
    this.#told = this.#text();
  }

  /**
   * From now on `changed` is called when other documents are to be watched; a search waits for it. Guests that are
   * watched are asked for their addresses.
   */
  follow(changed: () => Promise<unknown>, ask: AskAddresses, logger: Logger): void {
    this.#timer = setTimeout(() => void this.#turn(changed, ask, logger), this.#everyMs);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#pool.close();
  }

  async #turn(changed: () => Promise<unknown>, ask: AskAddresses, logger: Logger): Promise<void> {
    const before = this.#told;
    try {
      await this.look(ask);
      if (this.#told !== before) await changed();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      // What is watched goes on; the next search may succeed.
      this.#told = before;
      logger.warn({ error: errorMessage(error) }, 'the search for VMs failed');
    }
    if (!this.#stop.signal.aborted) this.follow(changed, ask, logger);
  }

  #text(): string {
    return this.documents([])
      .map(({ text }) => text)
      .join('');
  }
}
