import { z } from 'zod';
import type { Reason } from '../../../model/reasons.js';
import { escapeText } from '../text.js';
import { isShallow } from './json-framer.js';
import type { Session, SessionMessage } from './session.js';

/** Bytes of one event; beyond it is dropped. */
const MAX_EVENT_BYTES = 64 * 1024;
const MAX_EVENT_NAME = 128;
const LF = 0x0a;
/** Pretty-printed JSON holds no empty line, so an event that was cut ends with the next one at the latest. */
const SEPARATOR = Buffer.from('\n\n');

const eventSchema = z.object({ source: z.string(), event: z.string(), properties: z.unknown().optional() });
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * What Cloud Hypervisor writes to its `--event-monitor`: JSON objects, each followed by an empty line. An event is named
 * `<source>.<event>`, for example `guest.panic`, and its data are the properties. The writer drops what does not fit.
 */
export class EventSession implements Session {
  readonly isReady = false;
  readonly timeoutReason: Reason = 'response-timeout';
  readonly isProven = true;
  readonly isReplaceable = false;
  readonly isStuck = false;
  readonly isSpent = false;
  #record: Buffer[] = [];
  #bytes = 0;
  /** The record ends with a line feed so far. */
  #endsLine = false;

  pull(): Buffer {
    return Buffer.alloc(0);
  }

  send(): void {}

  forget(): void {}

  onBytes(bytes: Buffer, messages: SessionMessage[]): undefined {
    let rest = bytes;
    while (rest.length > 0) {
      const found = rest.indexOf(SEPARATOR);
      // The separator may have been cut in two.
      const isCut = this.#endsLine && rest[0] === LF;
      const end = isCut ? 1 : found === -1 ? rest.length : found + SEPARATOR.length;
      const piece = rest.subarray(0, end);
      rest = rest.subarray(end);
      this.#keep(piece);
      if (isCut || found !== -1) this.#conclude(messages);
    }
  }

  onEnd(): undefined {}

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    this.#endsLine = piece.at(-1) === LF;
    if (this.#bytes <= MAX_EVENT_BYTES) this.#record.push(Buffer.from(piece));
    else this.#record = [];
  }

  #conclude(messages: SessionMessage[]): void {
    const isWhole = this.#bytes <= MAX_EVENT_BYTES;
    const record = Buffer.concat(this.#record);
    this.#record = [];
    this.#bytes = 0;
    this.#endsLine = false;
    const message = isWhole ? read(record) : ({ type: 'eventLost' } as const);
    if (message !== undefined) messages.push(message);
  }
}

function read(record: Buffer): SessionMessage | undefined {
  try {
    const text = utf8.decode(record).trim();
    if (text === '') return undefined;
    const event = eventSchema.safeParse(isShallow(record) ? JSON.parse(text) : undefined);
    if (!event.success) return { type: 'eventLost' };
    const { source, event: name, properties } = event.data;
    return {
      type: 'event',
      name: escapeText(`${source}.${name}`, MAX_EVENT_NAME),
      data: properties ?? undefined,
      bytes: record.length,
    };
  } catch {
    return { type: 'eventLost' };
  }
}
