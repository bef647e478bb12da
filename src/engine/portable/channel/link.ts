import { Socket } from 'node:net';
import { errnoOf } from '../../../model/errors.js';
import type { Reason } from '../../../model/reasons.js';
import { reasonOfConnection, reasonOfUnixCall } from '../errno.js';
import type { Fault } from '../fault.js';
import { discard } from '../stream/dial.js';
import type { Session, SessionMessage } from './session.js';

/** Why there is no connection. `detail`: one line for people. */
export interface Down {
  readonly reason: Reason;
  readonly detail: string;
}

export interface LinkEvents {
  readonly connected: () => void;
  readonly message: (message: SessionMessage) => void;
  /** Called after messages, and once the socket took what was written. */
  readonly idle: () => void;
  /** The last call. */
  readonly down: (down: Down) => void;
}

/** One connection of a channel. */
export interface Connection {
  readonly session: Session;
  /** It stands, or stood. */
  readonly wasOpen: boolean;
  /** Another client is served. */
  busy: boolean;
  flush(): void;
  /** Ends it; nothing is told any more. Idempotent. */
  leave(): void;
}

/** A connection to a socket, owned until it is down or left. */
export class Link implements Connection {
  readonly session: Session;
  busy = false;
  readonly #socket = new Socket();
  readonly #events: LinkEvents;
  readonly #servesOne: boolean;
  #isConnected = false;
  #isWriting = false;
  #over = false;

  /** `servesOne`: the peer serves one client at a time. */
  constructor(path: string, session: Session, servesOne: boolean, events: LinkEvents) {
    this.session = session;
    this.#servesOne = servesOne;
    this.#events = events;
    const socket = this.#socket;
    socket.on('connect', () => {
      this.#isConnected = true;
      if (!this.#over) this.#events.connected();
    });
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('end', () => this.#closed());
    socket.on('error', (error) => this.#end(this.#downOf(error)));
    socket.connect({ path });
    socket.unref();
  }

  /** Writes what the session wants to say; what it says later waits until the socket took that. */
  get wasOpen(): boolean {
    return this.#isConnected;
  }

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

  leave(): void {
    this.#over = true;
    discard(this.#socket);
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    const messages: SessionMessage[] = [];
    const wrong = this.session.onBytes(bytes, messages);
    this.#tell(messages, wrong);
    if (!this.#over) this.#events.idle();
  }

  #closed(): void {
    if (this.#over) return;
    const messages: SessionMessage[] = [];
    const wrong = this.session.onEnd?.(messages);
    this.#tell(messages, wrong);
    this.#end({ reason: 'connection-closed', detail: 'the peer closed the connection' });
  }

  #tell(messages: readonly SessionMessage[], wrong: Fault | undefined): void {
    for (const message of messages) {
      if (!this.#over) this.#events.message(message);
    }
    if (wrong !== undefined) this.#end({ reason: wrong.reason, detail: wrong.message });
  }

  #end(down: Down): void {
    if (this.#over) return;
    this.leave();
    this.#events.down(down);
  }

  #downOf(error: Error): Down {
    const code = errnoOf(error);
    if (this.#isConnected) return { reason: reasonOfConnection(code), detail: error.message };
    // EAGAIN: the backlog is full; that of a socket that serves one client is by another one.
    const reason = code === 'EAGAIN' && this.#servesOne ? 'channel-busy' : reasonOfUnixCall(code);
    return { reason, detail: error.message };
  }
}
