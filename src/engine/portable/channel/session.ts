import type { Reason } from '../../../model/reasons.js';
import type { Fault } from '../fault.js';

/** Largest message that is accepted from a monitor or agent, bytes. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** What a session received. */
export type SessionMessage =
  /** Requests are taken from now on. An agent session says so again after each resynchronisation. */
  | { readonly type: 'ready' }
  | { readonly type: 'return'; readonly id: number; readonly value: unknown }
  /** The peer refused a request. Texts are bounded and escaped. */
  | { readonly type: 'error'; readonly id: number; readonly class: string; readonly description: string }
  /** `bytes`: of the whole message. */
  | { readonly type: 'event'; readonly name: string; readonly data: unknown; readonly bytes: number };

/** One connection of a monitor or agent, without I/O. The caller owns the socket, the queue and the deadlines. */
export interface Session {
  /** True when `send` would take a request. */
  readonly isReady: boolean;
  /**
   * What a deadline means now: before the greeting `channel-busy` (monitor), before the sync `agent-not-connected`,
   * else `response-timeout`.
   */
  readonly timeoutReason: Reason;
  /** What is to be sent now; only once all that it gave before is written. */
  pull(): Buffer;
  /** Adds a request, made by `encodeRequest`; the id goes with it where the peer gives it back. */
  send(id: number, request: EncodedRequest): void;
  /** The peer sent bytes. Messages before a fault are valid. */
  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined;
  /**
   * The deadline of a request passed, whether it was sent or is still queued: a late answer will be dropped, and an
   * agent that owes us an answer is resynchronised.
   */
  forget(id: number): void;
}

/** A request without its id. */
export interface EncodedRequest {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}
