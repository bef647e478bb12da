import type { SmtpSettings } from '../../model/notification.js';
import type { Message } from '../message.js';
import type { ReadSecret } from '../secret.js';

/** One message on its way. */
export interface Sending {
  /** The same at every attempt, so that a receiver can tell what it has already. */
  readonly id: string;
  readonly atMs: number;
  readonly message: Message;
  readonly smtp: SmtpSettings | undefined;
  readonly secret: ReadSecret;
  readonly signal: AbortSignal;
}

/** Delivers a message by one way. Rejects with Undelivered. */
export type Send<Way> = (way: Way, sending: Sending) => Promise<void>;
