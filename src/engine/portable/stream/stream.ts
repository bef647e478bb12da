import type { Socket } from 'node:net';
import type { Fault } from '../fault.js';

/** What a TLS handshake told. */
export interface Secured {
  /** For example `TLSv1.3`. */
  readonly version: string;
  /** End of the server certificate's validity, wall-clock ms. */
  readonly notAfterMs: number | undefined;
}

export interface StreamEvents {
  /** The handshake is complete. Not of plain streams. */
  readonly secured: (tls: Secured) => void;
  /** What is written from now on is heard. */
  readonly ready: () => void;
  readonly bytes: (bytes: Buffer) => void;
  /** The peer closed its side in order. */
  readonly eof: () => void;
  /** An error of the connection, with an errno. */
  readonly error: (error: Error) => void;
  /** What TLS found. */
  readonly fault: (fault: Fault) => void;
}

/** A byte stream to a server, plain or encrypted, over a connected socket that it owns. */
export interface Stream {
  /** The socket at the bottom: discarding it ends the stream. */
  readonly socket: Socket;
  /** False within the handshake. */
  readonly isReady: boolean;
  /** The connection is gone, or said something between two probes. */
  readonly isSpoilt: boolean;
  /** `written`: called when the kernel has them; also when it will never. */
  write(bytes: Buffer, written?: () => void): void;
  /** Sets who is told; undefined: nobody, between two probes. Tells at once what was told before: secured, ready. */
  listen(events: StreamEvents | undefined): void;
}

/**
 * libuv tells a reset that came with data as an ordinary end (a hang-up after a partial read). The kernel still knows:
 * a reset connection has no peer any more. Holds for TCP, and only while nobody asked for the peer before.
 */
export function endedByReset(socket: Socket): boolean {
  return socket.remotePort === undefined;
}

/** A reset as libuv would have told it. */
export function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

/** A plain connection. */
export class PlainStream implements Stream {
  readonly socket: Socket;
  readonly isReady = true;
  isSpoilt = false;
  readonly #isTcp: boolean;
  #events: StreamEvents | undefined;

  constructor(socket: Socket, isTcp: boolean) {
    this.socket = socket;
    this.#isTcp = isTcp;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', (error) => this.#tell((events) => events.error(error)));
    // Who had it before may have put bytes back.
    socket.resume();
  }

  /** Takes no more of the socket, which is for another stream soon, and puts back what it took too much. */
  leave(rest: Buffer): void {
    this.socket.off('data', this.#onData).off('end', this.#onEnd).pause();
    if (rest.length > 0) this.socket.unshift(rest);
  }

  readonly #onData = (bytes: Buffer): void => this.#tell((events) => events.bytes(bytes));

  readonly #onEnd = (): void => {
    const isReset = this.#isTcp && endedByReset(this.socket);
    this.#tell((events) => (isReset ? events.error(resetError()) : events.eof()));
  };

  write(bytes: Buffer, written?: () => void): void {
    this.socket.write(bytes, written);
  }

  listen(events: StreamEvents | undefined): void {
    this.#events = events;
    events?.ready();
  }

  #tell(tell: (events: StreamEvents) => void): void {
    if (this.#events === undefined) this.isSpoilt = true;
    else tell(this.#events);
  }
}
