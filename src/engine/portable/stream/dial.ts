import { Socket, type SocketConnectOpts } from 'node:net';
import { errnoOf } from '../../../model/errors.js';
import { isInconclusive, type Reason } from '../../../model/reasons.js';
import type { Endpoint } from '../check-schema.js';
import { reasonOfCall, reasonOfConnection, reasonOfUnixCall } from '../errno.js';
import { HybridDoor } from './hybrid-door.js';

/** A probe error (not a failure) is tried again this often, at once. */
const RETRIES = 3;

export interface DialEvents {
  readonly connected: (socket: Socket) => void;
  /** `message`: one bounded, escaped line for people. */
  readonly failed: (reason: Reason, message?: string) => void;
}

/** One attempt to connect, to a port of a guest by its hypervisor too. Owns the socket until it is connected; then the receiver of `connected` does. */
export class Dial {
  readonly #endpoint: Endpoint;
  readonly #events: DialEvents;
  #socket: Socket | undefined;
  #tries = 0;
  /** Asks the hypervisor for the guest's port. */
  #door: HybridDoor | undefined;

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

  /** The deadline passed. */
  timeOut(): void {
    this.stop();
    if (this.#door === undefined) this.#events.failed('connect-timeout');
    else this.#events.failed('connect-timeout', 'the hypervisor did not answer CONNECT');
  }

  #connect(): void {
    const socket = new Socket();
    this.#socket = socket;
    // An error of the call itself comes before the loop has looked at anything else.
    let failedAtOnce = true;
    socket.on('error', (error) => this.#onError(error, failedAtOnce));
    socket.on('connect', () => this.#onConnect(socket));
    socket.connect(addressOf(this.#endpoint));
    socket.unref();
    // Node calls connect() in the next tick, so this is behind it.
    process.nextTick(() => {
      failedAtOnce = socket.errored !== null;
    });
  }

  #onConnect(socket: Socket): void {
    if (this.#socket !== socket) return;
    if (isConnectedToItself(socket, this.#endpoint)) this.#fail('connection-refused');
    else if ('hybrid' in this.#endpoint) this.#knock(socket, this.#endpoint.port);
    else {
      this.#socket = undefined;
      this.#events.connected(socket);
    }
  }

  /** The stream is the guest's once the door is open. */
  #knock(socket: Socket, port: number): void {
    const door = new HybridDoor();
    this.#door = door;
    const onData = (bytes: Buffer): void => {
      const answer = door.push(bytes);
      if (answer === undefined || this.#socket !== socket) return;
      if ('reason' in answer) {
        this.#fail(answer.reason, answer.message);
        return;
      }
      this.#socket = undefined;
      socket.off('data', onData).off('end', onEnd).pause();
      // The guest may have spoken right behind the answer.
      if (answer.used < bytes.length) socket.unshift(bytes.subarray(answer.used));
      this.#events.connected(socket);
    };
    const onEnd = (): void => this.#shut(door);
    socket.on('data', onData).on('end', onEnd);
    socket.write(HybridDoor.knock(port));
  }

  #shut(door: HybridDoor): void {
    const { reason, message } = door.end();
    this.#fail(reason, message);
  }

  #fail(reason: Reason, message?: string): void {
    if (this.#socket === undefined) return;
    this.stop();
    this.#events.failed(reason, message);
  }

  #onError(error: Error, atOnce: boolean): void {
    if (this.#socket === undefined) return;
    if (this.#door !== undefined) {
      this.#shut(this.#door);
      return;
    }
    this.#socket = undefined;
    const code = errnoOf(error);
    const isTcp = 'ip' in this.#endpoint;
    const call = !isTcp ? reasonOfUnixCall : atOnce ? reasonOfCall : reasonOfConnection;
    const reason = call(code);
    if (isInconclusive(reason) && this.#tries < RETRIES) {
      this.#tries += 1;
      this.#connect();
    } else {
      this.#events.failed(reason);
    }
  }
}

/** What Node is to connect to: a host and port, or a path. */
function addressOf(endpoint: Endpoint): SocketConnectOpts {
  if ('ip' in endpoint) return { host: endpoint.ip, port: endpoint.port };
  return { path: 'unix' in endpoint ? endpoint.unix : endpoint.hybrid };
}

/** Below this ports are not given out as ephemeral ones, unless an administrator says so. */
const FIRST_EPHEMERAL = 32_768;

/**
 * A connect to a loopback port of the ephemeral range where nobody listens is now and then given that very port as its
 * own, and TCP lets the two ends be one. Asks for our end only (`endedByReset` needs the other not to be asked for).
 */
function isConnectedToItself(socket: Socket, endpoint: Endpoint): boolean {
  if (!('ip' in endpoint) || endpoint.port < FIRST_EPHEMERAL) return false;
  return socket.localPort === endpoint.port && socket.localAddress === endpoint.ip;
}

/** Closes a connection at once and leaves nothing behind: TCP by a reset, so no TIME_WAIT. Idempotent. */
export function discard(socket: Socket): void {
  socket.on('error', () => {});
  if (socket.connecting || socket.destroyed || socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
