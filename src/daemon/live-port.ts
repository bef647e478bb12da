import type { Server } from 'node:net';
import type { DaemonConfig, ListenAddress } from '../config/index.js';
import { tryConfigured } from './listen.js';
import type { LivePart, Prepared } from './live.js';

export interface LivePortOptions<S extends Server> {
  readonly addressOf: (config: DaemonConfig) => ListenAddress | undefined;
  readonly create: () => S;
  readonly listen: (server: S, address: ListenAddress) => Promise<void>;
  /** Takes no more connections; those that there are end soon. */
  readonly close: (server: S) => unknown;
}

interface Served<S extends Server> {
  readonly server: S;
  readonly address: ListenAddress;
}

/** What is served on a port of its own, where that is configured. Its address may change while it is served. */
export class LivePort<S extends Server = Server> implements LivePart {
  readonly #options: LivePortOptions<S>;
  #served: Served<S> | undefined;

  constructor(options: LivePortOptions<S>) {
    this.#options = options;
  }

  async check(config: DaemonConfig): Promise<void> {
    const address = this.#options.addressOf(config);
    if (address === undefined || this.#isServed(address)) return;
    await tryConfigured(address, config.networks);
  }

  async prepare(config: DaemonConfig): Promise<Prepared> {
    const { addressOf, create, listen, close } = this.#options;
    const address = addressOf(config);
    if (address === undefined) return { commit: () => this.close(), discard: () => {} };
    if (this.#isServed(address)) return { commit: () => {}, discard: () => {} };
    const server = create();
    await listen(server, address);
    return {
      commit: async () => {
        const former = this.#served;
        this.#served = { server, address };
        if (former !== undefined) await close(former.server);
      },
      discard: async () => {
        await close(server);
      },
    };
  }

  async close(): Promise<void> {
    const former = this.#served;
    this.#served = undefined;
    if (former !== undefined) await this.#options.close(former.server);
  }

  #isServed({ host, port }: ListenAddress): boolean {
    return this.#served?.address.host === host && this.#served.address.port === port;
  }
}
