import { createServer, Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { VmpulseError } from '../model/errors.js';
import type { ApiEnv } from './api-route.js';

export const MAX_CONNECTIONS = 256;
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
/** What a request under way gets at the end, ms. */
const GRACE_MS = 1_000;
const SWEEP_MS = 20;

/** What every server of ours takes at most. */
export const SERVER_BOUNDS = {
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
};

/** A bounded HTTP server for an app; not listening yet. */
export function createHttpServer(app: Hono<ApiEnv>): Server {
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    // Request and Response of a host program stay as they are.
    overrideGlobalObjects: false,
    serverOptions: SERVER_BOUNDS,
  });
  if (!(server instanceof Server))
    throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'the HTTP server is of an unknown kind');
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/** Takes no more requests and resolves once all connections are over, cut off after a grace. Idempotent. */
export async function closeHttpServer(server: Server | HttpsServer): Promise<void> {
  if (!server.listening) return;
  await cutAfterGrace(server, drainHttpServer(server, SWEEP_MS));
}

/** Takes no more connections and resolves once those that there are have ended: each is left alone while it is in use. */
export async function drainHttpServer(server: Server | HttpsServer, sweepMs: number): Promise<void> {
  // A connection becomes idle when its answer is out, which may be after the first look.
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(sweep);
}

/** Waits for the end of the connections, and cuts off what is left of them after a grace. */
export async function cutAfterGrace(server: Server | HttpsServer, ended: Promise<void>): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await ended;
  clearTimeout(cut);
}
