import type { DaemonConfig } from '../config/index.js';
import type { Identify } from './access/caller.js';
import type { TokenStore } from './access/token-store.js';
import { createApi } from './api.js';
import type { ApiOptions } from './api-route.js';
import { begin, type LivePart } from './live.js';
import type { Owned } from './owned.js';
import { RemoteApi } from './remote-api.js';
import { metricsPort } from './side-ports.js';
import { SocketApi } from './socket-api.js';

/** What the API is served from. */
interface Served extends Omit<ApiOptions, 'identify' | 'tokens' | 'runtime'> {
  readonly runtime: ApiOptions['runtime'] & {
    degrade(what: string, why: string): void;
    mend(what: string): void;
  };
  readonly tokens: TokenStore;
}

/**
 * Serves the API on the daemon's socket and, where that is configured, by TCP, and parts of it on ports of their own.
 * Resolves with what takes other settings from then on. Throws as SocketApi.start() does, and for addresses that are
 * taken.
 */
export async function serveApi(config: DaemonConfig, served: Served, owned: Owned): Promise<LivePart[]> {
  const { runtime, tokens } = served;
  const createApp = (identify: Identify) => createApi({ ...served, identify });
  const tell = (problems: readonly string[]) => {
    if (problems.length === 0) runtime.mend('api-access');
    else runtime.degrade('api-access', problems.join('; '));
  };
  const socket = await SocketApi.start({ path: config.socketPath, createApp, tell }, config);
  owned.add('API', () => socket.close());
  const others = [
    ['API port', new RemoteApi({ createApp, callerOf: (token) => tokens.callerOf(token) })],
    ['metrics port', metricsPort(served)],
  ] as const;
  for (const [name, part] of others) {
    owned.add(name, () => part.close());
    await begin(part, config);
  }
  return [socket, ...others.map(([, part]) => part)];
}
