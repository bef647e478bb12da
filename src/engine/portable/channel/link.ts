import { Socket } from 'node:net';
import type { Reason } from '../../../model/reasons.js';
import { discard } from '../dial.js';
import { errorCode, reasonOfConnection, reasonOfUnixCall } from '../errno.js';
import type { Session, SessionMessage } from './session.js';

/** Why there is no connection. `detail`: one line for people. */
export interface Down {
  readonly reason: Reason;
  readonly detail: string;
}

export interface LinkEvents {
  readonly message: (message: SessionMessage) => void;
  /** Called after messages, and once the socket took what was written. */
  readonly idle: () => void;
  /** The last call. */
  readonly down: (down: Down) => void;
}

/** One connection of a channel. Owns the socket until it is down or left. */
export class Link {
  readonly session: Session;
  /** Another client is served. */
  busy = false;
  readonly #socket = new Socket();
  readonly #events: LinkEvents;
  #isConnected = false;
  #isWriting = false;
  #over = false;

  constructor(path: string, session: Session, events: LinkEvents) {
    this.session = session;
    this.#events = events;
    const socket = this.#socket;
    socket.on('connect', () => {
      this.#isConnected = true;
    });
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('end', () =>
      this.#end({ reason: 'connection-closed', detail: 'the peer closed the connection' }),
    );
    socket.on('error', (error) => this.#end(this.#downOf(error)));
    socket.connect({ path });
    socket.unref();
  }

  /** Writes what the session wants to say; what it says later waits until the socket took that. */
  flush(): void {
    if (this.#isWriting || this.#over) return;
    const bytes = this.session.pull();
    if (bytes.length === 0) return;
    this.#isWriting = true;
    this.#socket.write(bytes, () => {
      this.#isWriting = false;
      if (!this.#over) this.#events.idle();
    });
  }

  /** Ends it; nothing is told any more. Idempotent. */
  leave(): void {
    this.#over = true;
    discard(this.#socket);
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    const messages: SessionMessage[] = [];
    const wrong = this.session.onBytes(bytes, messages);
    for (const message of messages) {
      if (!this.#over) this.#events.message(message);
    }
    if (wrong !== undefined) this.#end({ reason: wrong.reason, detail: wrong.message });
    else if (!this.#over) this.#events.idle();
  }

  #end(down: Down): void {
    if (this.#over) return;
    this.leave();
    this.#events.down(down);
  }

  #downOf(error: Error): Down {
    const code = errorCode(error);
    if (this.#isConnected) return { reason: reasonOfConnection(code), detail: error.message };
    // EAGAIN: the backlog of a socket that serves one client is full.
    const reason = code === 'EAGAIN' ? 'channel-busy' : reasonOfUnixCall(code);
    return { reason, detail: error.message };
  }
}
