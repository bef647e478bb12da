import { Socket } from 'node:net';
import { isInconclusive, type Reason } from '../../model/reasons.js';
import type { Endpoint } from './check.js';
import { errorCode, reasonOfCall, reasonOfConnection, reasonOfUnixCall } from './errno.js';

/** A probe error (not a failure) is tried again this often, at once. */
const RETRIES = 3;

export interface DialEvents {
  readonly connected: (socket: Socket) => void;
  readonly failed: (reason: Reason) => void;
}

/** One attempt to connect. Owns the socket until it is connected; then the receiver of `connected` does. */
export class Dial {
  readonly #endpoint: Endpoint;
  readonly #events: DialEvents;
  #socket: Socket | undefined;
  #tries = 0;

  constructor(endpoint: Endpoint, events: DialEvents) {
    this.#endpoint = endpoint;
    this.#events = events;
    this.#connect();
  }

  /** Gives up; nothing is reported any more. Idempotent. */
  stop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) discard(socket);
  }

  #connect(): void {
    const socket = new Socket();
    this.#socket = socket;
    // An error of the call itself comes before the loop has looked at anything else.
    let failedAtOnce = true;
    socket.on('error', (error) => this.#onError(error, failedAtOnce));
    socket.on('connect', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (isConnectedToItself(socket, this.#endpoint)) {
        discard(socket);
        this.#events.failed('connection-refused');
      } else this.#events.connected(socket);
    });
    if ('unix' in this.#endpoint) socket.connect({ path: this.#endpoint.unix });
    else socket.connect({ host: this.#endpoint.ip, port: this.#endpoint.port });
    socket.unref();
    // Node calls connect() in the next tick, so this is behind it.
    process.nextTick(() => {
      failedAtOnce = socket.errored !== null;
    });
  }

  #onError(error: Error, atOnce: boolean): void {
    if (this.#socket === undefined) return;
    this.#socket = undefined;
    const code = errorCode(error);
    const call = 'unix' in this.#endpoint ? reasonOfUnixCall : atOnce ? reasonOfCall : reasonOfConnection;
    const reason = call(code);
    if (isInconclusive(reason) && this.#tries < RETRIES) {
      this.#tries += 1;
      this.#connect();
    } else {
      this.#events.failed(reason);
    }
  }
}

/** Below this ports are not given out as ephemeral ones, unless an administrator says so. */
const FIRST_EPHEMERAL = 32_768;

/**
 * A connect to a loopback port of the ephemeral range where nobody listens is now and then given that very port as its
 * own, and TCP lets the two ends be one. Asks for our end only (`endedByReset` needs the other not to be asked for).
 */
function isConnectedToItself(socket: Socket, endpoint: Endpoint): boolean {
  if ('unix' in endpoint || endpoint.port < FIRST_EPHEMERAL) return false;
  return socket.localPort === endpoint.port && socket.localAddress === endpoint.ip;
}

/** Closes a connection at once and leaves nothing behind: TCP by a reset, so no TIME_WAIT. Idempotent. */
export function discard(socket: Socket): void {
  socket.on('error', () => {});
  if (socket.connecting || socket.destroyed || socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
