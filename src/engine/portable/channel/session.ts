import type { Reason } from '../../../model/reasons.js';
import type { Fault } from '../fault.js';

/** Largest message that is accepted from a monitor, agent or API, bytes. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** What a session received. */
export type SessionMessage =
  /**
   * Requests are taken from now on, or the API gave its first answer. An agent session says so again after each
   * resynchronisation.
   */
  | { readonly type: 'ready' }
  | { readonly type: 'return'; readonly id: number; readonly value: unknown }
  /** The peer refused a request. Texts are bounded and escaped. */
  | { readonly type: 'error'; readonly id: number; readonly class: string; readonly description: string }
  /** `bytes`: of the whole message. */
  | { readonly type: 'event'; readonly name: string; readonly data: unknown; readonly bytes: number }
  /** An event that was damaged or too large. */
  | { readonly type: 'eventLost' };

/** One connection of a monitor, agent or API, without I/O. The caller owns the socket, the queue and the deadlines. */
export interface Session {
  /** True when `send` would take a request. */
  readonly isReady: boolean;
  /**
   * What a deadline means now: before the greeting `channel-busy` (monitor), before the sync `agent-not-connected`,
   * else `response-timeout`.
   */
  readonly timeoutReason: Reason;
  /**
   * The peer showed on this connection that it speaks the protocol, as far as a new connection may be told before.
   * Default true.
   */
  readonly isProven?: boolean;
  /**
   * The connection did its work and owes nothing: if the peer closes it now, a new one may take its place unnoticed.
   * Default false.
   */
  readonly isReplaceable?: boolean;
  /** An answer that nobody waits for any more is still due, and holds up the others. Default false. */
  readonly isStuck?: boolean;
  /** The peer will close: a new connection must take the place of this one. Default false. */
  readonly isSpent?: boolean;
  /** What is to be sent now; only once all that it gave before is written. */
  pull(): Buffer;
  /** Adds a request, made by `encodeRequest`; the id goes with it where the peer gives it back. */
  send(id: number, request: EncodedRequest): void;
  /** The peer sent bytes. Messages before a fault are valid. */
  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined;
  /** The peer closed its side in order: what that completes. */
  onEnd?(messages: SessionMessage[]): Fault | undefined;
  /**
   * The deadline of a request passed, whether it was sent or is still queued: a late answer will be dropped, and an
   * agent that owes us an answer is resynchronised.
   */
  forget(id: number): void;
}

/** A request without its id. `execute`: of an API `METHOD /path`. */
export interface EncodedRequest {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}
