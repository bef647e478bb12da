import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, Server } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { ApiListen } from '../config/index.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import type { ApiEnv } from './api-route.js';
import { MAX_CONNECTIONS, SERVER_BOUNDS } from './http-server.js';
import { limitPerAddress } from './limit-per-address.js';
import { listenTcp } from './listen.js';

const HANDSHAKE_MS = 5_000;
export const CONNECTIONS_PER_ADDRESS = 32;

/** What a handshake needs, as it is in the files. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Empty: no certificate of a client counts. */
  readonly ca: readonly Buffer[];
}

/** One address on which the API is served by TLS and nothing else. */
export class RemotePort {
  readonly server: Server;
  #authorities: string;

  private constructor(server: Server, { ca }: TlsMaterial, verified: VerifiedConnections) {
    this.server = server;
    this.#authorities = digestOf(ca);
    // After the listener of the server itself, which takes the context of now for the handshake.
    server.on('connection', (socket: Socket) => verified.note(socket, this.#authorities));
  }

  /** Names the authorities whose certificates count. */
  get authorities(): string {
    return this.#authorities;
  }

  /** Serves an app. Throws ERR_VMPULSE_ADDRESS_IN_USE. */
  static async start(
    app: Hono<ApiEnv>,
    address: Pick<ApiListen, 'host' | 'port'>,
    material: TlsMaterial,
    verified: VerifiedConnections,
  ): Promise<RemotePort> {
    const server = createAdaptorServer({
      fetch: app.fetch,
      createServer,
      overrideGlobalObjects: false,
      serverOptions: {
        ...SERVER_BOUNDS,
        ...contextOf(material),
        handshakeTimeout: HANDSHAKE_MS,
        // Whether it counts is looked at by each request: a token will do as well.
        requestCert: true,
        rejectUnauthorized: false,
      },
    });
    if (!(server instanceof Server))
      throw new VmpulseError('ERR_VMPULSE_INTERNAL', 'the HTTPS server is of an unknown kind');
    server.maxConnections = MAX_CONNECTIONS;
    limitPerAddress(server, CONNECTIONS_PER_ADDRESS);
    const port = new RemotePort(server, material, verified);
    await listenTcp(server, address);
    return port;
  }

  /** New connections get this. */
  use(material: TlsMaterial): void {
    this.server.setSecureContext(contextOf(material));
    this.#authorities = digestOf(material.ca);
  }
}

/** Which authorities looked at the certificate of each connection: later ones may not have signed it. */
export class VerifiedConnections {
  readonly #by = new Map<string, string>();

  note(socket: Socket, authorities: string): void {
    const key = keyOf(socket);
    this.#by.set(key, authorities);
    socket.once('close', () => this.#by.delete(key));
  }

  has(socket: Socket, authorities: string): boolean {
    return this.#by.get(keyOf(socket)) === authorities;
  }
}

function contextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, ca: [...ca], minVersion: 'TLSv1.2' };
}

function digestOf(ca: readonly Buffer[]): string {
  return createHash('sha256').update(Buffer.concat(ca)).digest('hex');
}

/** The same for a connection and for the TLS within it. */
function keyOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

/** Reads the files that the configuration names. Throws ERR_VMPULSE_CONFIG for those that do not fit. */
export async function readMaterial({ certificate, key, clientCa }: ApiListen): Promise<TlsMaterial> {
  const material: TlsMaterial = {
    cert: await readPem('certificate', certificate),
    key: await readPem('key', key),
    ca: clientCa === undefined ? [] : [await readPem('clientCa', clientCa)],
  };
  try {
    createSecureContext(contextOf(material));
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
