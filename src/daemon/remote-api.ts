import { readFile } from 'node:fs/promises';
import { createServer, Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { ApiListen } from '../config/index.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { ApiEnv } from './api-route.js';
import { MAX_CONNECTIONS, SERVER_BOUNDS } from './http-server.js';
import { limitPerAddress } from './limit-per-address.js';
import { listenTcp } from './listen.js';

const HANDSHAKE_MS = 5_000;
const CONNECTIONS_PER_ADDRESS = 32;

/** What a handshake needs, as it is in the files. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

/** The API by TCP, with TLS and nothing else. */
export class RemoteApi {
  readonly server: Server;
  readonly #listen: ApiListen;

  private constructor(server: Server, listen: ApiListen) {
    this.server = server;
    this.#listen = listen;
  }

  /** Serves an app. Throws ERR_VMPULSE_CONFIG for files that do not fit, ERR_VMPULSE_ADDRESS_IN_USE. */
  static async start(app: Hono<ApiEnv>, listen: ApiListen): Promise<RemoteApi> {
    const server = createAdaptorServer({
      fetch: app.fetch,
      createServer,
      overrideGlobalObjects: false,
      serverOptions: {
        ...SERVER_BOUNDS,
        ...(await readMaterial(listen)),
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_MS,
        // Whether it counts is looked at by each request: a token will do as well.
        requestCert: listen.clientCa !== undefined,
        rejectUnauthorized: false,
      },
    });
    if (!(server instanceof Server))
      throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'the HTTPS server is of an unknown kind');
    server.maxConnections = MAX_CONNECTIONS;
    limitPerAddress(server, CONNECTIONS_PER_ADDRESS);
    await listenTcp(server, listen);
    return new RemoteApi(server, listen);
  }

  /** Reads the files again. Throws ERR_VMPULSE_CONFIG; what is used stays as it is. */
  read(): Promise<TlsMaterial> {
    return readMaterial(this.#listen);
  }

  /** New connections get this. */
  use(material: TlsMaterial): void {
    this.server.setSecureContext({ ...material, minVersion: 'TLSv1.2' });
  }
}

async function readMaterial({ certificate, key, clientCa }: ApiListen): Promise<TlsMaterial> {
  const material = {
    cert: await readPem('certificate', certificate),
    key: await readPem('key', key),
    ...(clientCa === undefined ? {} : { ca: await readPem('clientCa', clientCa) }),
  };
  try {
    createSecureContext(material);
  } catch (cause) {
    throw wrong(`${certificate} and ${key} do not fit: ${errorMessage(cause)}`, cause);
  }
  return material;
}

async function readPem(option: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw wrong(`${option}: ${path} cannot be read: ${errorMessage(cause)}`, cause);
  }
}

function wrong(what: string, cause: unknown): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_CONFIG', `api.listen.${what}; write PEM files`, { cause });
}
