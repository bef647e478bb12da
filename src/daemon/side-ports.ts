import type { DaemonConfig } from '../config/index.js';
import type { Vmpulse } from '../runtime/vmpulse.js';
import { createAgentCheck } from './agent-check.js';
import { createHeartbeatApi, createMetricsApi } from './api.js';
import type { ApiOptions } from './api-route.js';
import { createHttpServer } from './http-server.js';
import { limitPerAddress } from './limit-per-address.js';
import { listenLoopback, listenTcp } from './listen.js';
import type { Owned } from './owned.js';

type Parts = Pick<ApiOptions, 'runtime' | 'logger' | 'isReady'>;

/** Serves a part of the API on ports of its own, where that is configured: heartbeats to guests, metrics on loopback. */
export async function serveParts(
  { heartbeats, metrics }: DaemonConfig,
  parts: Parts,
  owned: Owned,
): Promise<void> {
  if (heartbeats.listen !== undefined) {
    const server = createHttpServer(createHeartbeatApi(parts));
    limitPerAddress(server);
    await listenTcp(owned.server('heartbeat port', server), heartbeats.listen);
  }
  if (metrics.listen !== undefined) {
    const server = createHttpServer(createMetricsApi(parts.runtime, parts.logger));
    await listenLoopback(owned.server('metrics port', server), metrics.listen);
  }
}

/** Only once the list of endpoints is known: who asked before would hear that nobody is in it. */
export async function serveAgentCheck(
  { readiness }: DaemonConfig,
  runtime: Vmpulse,
  owned: Owned,
): Promise<void> {
  const { agentCheck } = readiness;
  if (agentCheck === undefined) return;
  const server = createAgentCheck(runtime);
  // Its connections last for one short answer.
  owned.add('agent check', () => server.close());
  await listenLoopback(server, agentCheck);
}
