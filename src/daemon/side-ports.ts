import type { Server as HttpServer } from 'node:http';
import type { Vmpulse } from '../runtime/vmpulse.js';
import { createAgentCheck } from './agent-check.js';
import { createHeartbeatApi, createMetricsApi } from './api.js';
import type { ApiOptions } from './api-route.js';
import { closeHttpServer, createHttpServer } from './http-server.js';
import { limitPerAddress } from './limit-per-address.js';
import { listenLoopback, listenTcp } from './listen.js';
import { LivePort } from './live-port.js';

type Parts = Pick<ApiOptions, 'runtime' | 'logger' | 'isReady'>;

/** Heartbeats of guests, on a port of their own. */
export function heartbeatPort(parts: Parts): LivePort<HttpServer> {
  return new LivePort({
    addressOf: ({ heartbeats }) => heartbeats.listen,
    create: () => {
      const server = createHttpServer(createHeartbeatApi(parts));
      limitPerAddress(server);
      return server;
    },
    listen: listenTcp,
    close: closeHttpServer,
  });
}

/** Metrics, on loopback. */
export function metricsPort({ runtime, logger }: Parts): LivePort<HttpServer> {
  return new LivePort({
    addressOf: ({ metrics }) => metrics.listen,
    create: () => createHttpServer(createMetricsApi(runtime, logger)),
    listen: listenLoopback,
    close: closeHttpServer,
  });
}

/** HAProxy's agent-check. Only once the list of endpoints is known: who asked before would hear that nobody is in it. */
export function agentCheckPort(runtime: Vmpulse): LivePort {
  return new LivePort({
    addressOf: ({ readiness }) => readiness.agentCheck,
    create: () => createAgentCheck(runtime),
    listen: listenLoopback,
    // Its connections last for one short answer.
    close: (server) => server.close(),
  });
}
