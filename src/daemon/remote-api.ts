import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { Hono } from 'hono';
import { type ApiListen, type DaemonConfig, listenAddressText } from '../config/index.js';
import { isVmpulseError, VmpulseError } from '../model/errors.js';
import type { Caller, Identify } from './access/caller.js';
import { limitRequests } from './access/limits.js';
import { identifyRemote } from './access/remote-callers.js';
import type { ApiEnv } from './api-route.js';
import { closeHttpServer, cutAfterGrace, drainHttpServer } from './http-server.js';
import { tryConfigured } from './listen.js';
import type { LivePart, Prepared } from './live.js';
import { RemotePort, readMaterial, VerifiedConnections } from './remote-port.js';

/** How often a port that is given up looks for connections that nobody uses any more, ms. */
const SWEEP_MS = 1_000;

export interface RemoteApiOptions {
  readonly createApp: (identify: Identify) => Hono<ApiEnv>;
  /** Whose token that is; undefined: nobody's. */
  readonly callerOf: (token: string) => Promise<Caller | undefined>;
}

/** Where and to whom the API is served by TCP. */
interface Served {
  readonly port: RemotePort;
  readonly listen: ApiListen;
}

/**
 * The API by TCP, where that is configured. Its address, certificates and clients may change while it is served: requests
 * that are under way are answered, and who listens to events goes on with it, as long as it may.
 */
export class RemoteApi implements LivePart {
  readonly #app: Hono<ApiEnv>;
  readonly #verified = new VerifiedConnections();
  #served: Served | undefined;
  /** Ports of former configurations with connections that are still in use. */
  readonly #retired = new Map<Server, Promise<void>>();

  constructor({ createApp, callerOf }: RemoteApiOptions) {
    const identify = identifyRemote({
      callerOf,
      clients: () => this.#served?.listen.clients ?? [],
      hasVerified: (socket) => {
        const served = this.#served;
        return served !== undefined && this.#verified.has(socket, served.port.authorities);
      },
    });
    const limited = limitRequests(identify, () => false);
    this.#app = createApp((request) => this.#whileServed(request, limited));
  }

  /** Where it is served now; undefined: nowhere. */
  get server(): Server | undefined {
    return this.#served?.port.server;
  }

  /** Looks at files and address. */
  async check({ api: { listen }, networks }: Pick<DaemonConfig, 'api' | 'networks'>): Promise<void> {
    if (listen === undefined) return;
    await readMaterial(listen);
    if (!this.#isServed(listen)) await this.#explained(listen, () => tryConfigured(listen, networks));
  }

  /** Reads the files, which may be others though their names are the same, and serves on an address that is new. */
  async prepare({ api: { listen } }: Pick<DaemonConfig, 'api'>): Promise<Prepared> {
    if (listen === undefined) return { commit: () => this.#serve(undefined), discard: () => {} };
    const material = await readMaterial(listen);
    const former = this.#served;
    if (former !== undefined && this.#isServed(listen)) {
      const { port } = former;
      return {
        commit: () => {
          port.use(material);
          this.#served = { port, listen };
        },
        discard: () => {},
      };
    }
    const start = () => RemotePort.start(this.#app, listen, material, this.#verified);
    const port = await this.#explained(listen, start);
    return { commit: () => this.#serve({ port, listen }), discard: () => closeHttpServer(port.server) };
  }

  /** Ends all connections, also those to former addresses. */
  async close(): Promise<void> {
    const { server } = this;
    this.#served = undefined;
    await Promise.all([
      ...(server === undefined ? [] : [closeHttpServer(server)]),
      ...[...this.#retired].map(([retired, ended]) => cutAfterGrace(retired, ended)),
    ]);
  }

  #isServed({ host, port }: ApiListen): boolean {
    return this.#served?.listen.host === host && this.#served.listen.port === port;
  }

  /** An address may be taken by the one that it is to replace: 0.0.0.0:9443 and 192.0.2.1:9443 go not side by side. */
  async #explained<T>(listen: ApiListen, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const former = this.#served?.listen;
      if (former?.port !== listen.port || !isVmpulseError(cause, 'ERR_VMPULSE_ADDRESS_IN_USE')) throw cause;
      const text = `api.listen: ${listenAddressText(listen)} cannot be served beside ${listenAddressText(former)}, which holds now; take another port, or restart the daemon`;
      throw new VmpulseError('ERR_VMPULSE_ADDRESS_IN_USE', text, { cause });
    }
  }

  #serve(next: Served | undefined): void {
    const { server } = this;
    this.#served = next;
    if (server === undefined) return;
    const ended = drainHttpServer(server, SWEEP_MS).finally(() => this.#retired.delete(server));
    this.#retired.set(server, ended);
  }

  async #whileServed(request: IncomingMessage, identify: Identify): Promise<Caller> {
    if (this.#served !== undefined) return identify(request);
    throw new VmpulseError('ERR_VMPULSE_CLOSED', 'the API is not served by TCP');
  }
}
