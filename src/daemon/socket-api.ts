import type { Server } from 'node:http';
import type { Hono } from 'hono';
import { canonicalJson, type DaemonConfig } from '../config/index.js';
import type { Identify } from './access/caller.js';
import { limitRequests } from './access/limits.js';
import { type SocketAccess, socketAccess } from './access/socket-access.js';
import type { ApiEnv } from './api-route.js';
import { closeHttpServer, createHttpServer } from './http-server.js';
import { giveToGroup, listenUnix, requireMayGiveToGroup } from './listen.js';
import type { LivePart, Prepared } from './live.js';

export interface SocketApiOptions {
  readonly path: string;
  readonly createApp: (identify: Identify) => Hono<ApiEnv>;
  /** Shows what of the access does not work on this host; empty: all of it does. */
  readonly tell: (problems: readonly string[]) => void;
}

/** The API on the daemon's Unix socket. Whom it takes may change while it is served. */
export class SocketApi implements LivePart {
  readonly #options: SocketApiOptions;
  readonly #server: Server;
  #access: SocketAccess;
  /** What it was made of. */
  #config: DaemonConfig['api'];

  private constructor(options: SocketApiOptions, config: DaemonConfig['api'], access: SocketAccess) {
    this.#options = options;
    this.#config = config;
    this.#access = access;
    const identify = limitRequests(
      (request) => this.#access.identify(request),
      ({ scope }) => scope === 'admin',
    );
    this.#server = createHttpServer(options.createApp(identify));
    options.tell(access.problems);
  }

  /** Serves. Throws as socketAccess() and listenUnix() do. */
  static async start(options: SocketApiOptions, { api }: DaemonConfig): Promise<SocketApi> {
    const access = await socketAccess(api);
    const socket = new SocketApi(options, api, access);
    try {
      await listenUnix(socket.#server, options.path, access.gid);
    } catch (error) {
      await socket.close();
      throw error;
    }
    return socket;
  }

  async check({ api }: DaemonConfig): Promise<void> {
    const { gid } = await socketAccess(api);
    if (gid !== this.#access.gid) requireMayGiveToGroup(this.#options.path, gid);
  }

  async prepare({ api }: DaemonConfig): Promise<Prepared> {
    const isSame = sameAccess(api, this.#config);
    // What the host did not know before it may know now.
    const access = isSame && this.#access.problems.length === 0 ? this.#access : await socketAccess(api);
    const former = this.#access.gid;
    if (access.gid !== former) await giveToGroup(this.#options.path, access.gid);
    return {
      commit: () => {
        this.#access = access;
        this.#config = api;
        this.#options.tell(access.problems);
      },
      // That group had it a moment ago.
      discard: () =>
        access.gid === former ? undefined : giveToGroup(this.#options.path, former).catch(() => {}),
    };
  }

  close(): Promise<void> {
    return closeHttpServer(this.#server);
  }
}

function sameAccess(a: DaemonConfig['api'], b: DaemonConfig['api']): boolean {
  const partsOf = ({ access, socketGroup }: DaemonConfig['api']) =>
    canonicalJson({ access, socketGroup: socketGroup ?? null });
  return partsOf(a) === partsOf(b);
}
