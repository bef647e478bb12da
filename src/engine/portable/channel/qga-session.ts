import type { Reason } from '../../../model/reasons.js';
import type { Fault } from '../fault.js';
import { parseIncoming } from './incoming.js';
import { JsonFramer, unexpected } from './json-framer.js';
import { requestLine } from './request.js';
import { type EncodedRequest, MAX_MESSAGE_BYTES, type Session, type SessionMessage } from './session.js';

/** Never part of JSON: resets the agent's parser, and comes before the answer to a sync. */
const DELIMITER = 0xff;

type Phase =
  /** Waiting for the answer to the sync. `delimited`: a 0xFF came, what follows may be it. */
  | { readonly name: 'syncing'; readonly delimited: boolean }
  | { readonly name: 'idle' }
  /** One request is outstanding. */
  | { readonly name: 'waiting'; readonly id: number };

/**
 * One connection of a QEMU guest agent. The stream survives clients and reboots of the guest, so answers to questions
 * of an earlier client may come first; a sync on connect and after each forgotten request fences them. One request at
 * a time.
 */
export class QgaSession implements Session {
  readonly #framer = new JsonFramer(MAX_MESSAGE_BYTES);
  #phase: Phase = { name: 'idle' };
  #syncId: number;
  #out: Buffer = Buffer.alloc(0);

  /** `seed`: any 32-bit number that differs between connections, so that a stale sync reply is not taken for ours. */
  constructor(seed: number) {
    this.#syncId = seed * 65_536;
    this.#sync();
  }

  get isReady(): boolean {
    return this.#phase.name === 'idle';
  }

  get timeoutReason(): Reason {
    return this.#phase.name === 'syncing' ? 'agent-not-connected' : 'response-timeout';
  }

  pull(): Buffer {
    const out = this.#out;
    this.#out = Buffer.alloc(0);
    return out;
  }

  send(id: number, request: EncodedRequest): void {
    this.#phase = { name: 'waiting', id };
    // Not all agents give an id back.
    this.#out = Buffer.concat([this.#out, requestLine(request)]);
  }

  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(DELIMITER, start);
      const wrong = this.#onSegment(bytes.subarray(start, end === -1 ? bytes.length : end), messages);
      if (wrong !== undefined || end === -1) return wrong;
      this.#framer.reset();
      if (this.#phase.name === 'syncing') this.#phase = { name: 'syncing', delimited: true };
      start = end + 1;
    }
  }

  forget(id: number): void {
    const phase = this.#phase;
    // While syncing: the agent may have started, or restarted, after our last sync was lost.
    if (phase.name === 'syncing' || (phase.name === 'waiting' && phase.id === id)) this.#sync();
  }

  #sync(): void {
    this.#syncId += 1;
    this.#phase = { name: 'syncing', delimited: false };
    this.#framer.reset();
    const sync = requestLine({ execute: 'guest-sync-delimited', arguments: { id: this.#syncId } });
    // What was not even pulled yet is void, so this never grows.
    this.#out = Buffer.concat([Buffer.of(DELIMITER), sync]);
  }

  /** Bytes without a delimiter in them. */
  #onSegment(segment: Buffer, messages: SessionMessage[]): Fault | undefined {
    let rest = segment;
    while (this.#phase.name !== 'syncing' || this.#phase.delimited) {
      const used = this.#framer.push(rest);
      if (used === undefined) return undefined;
      const step = typeof used === 'number' ? this.#onObject(this.#framer.object) : used;
      if (typeof used === 'number') rest = rest.subarray(used);
      this.#framer.reset();
      if (step === undefined) continue;
      if (!('reason' in step)) messages.push(step);
      // Noise of an earlier conversation.
      else if (this.#phase.name === 'syncing') this.#phase = { name: 'syncing', delimited: false };
      else return step;
    }
    return undefined;
  }

  #onObject(object: Buffer): SessionMessage | Fault | undefined {
    const message = parseIncoming(object);
    if ('reason' in message) return message;
    const phase = this.#phase;
    switch (phase.name) {
      case 'syncing': {
        const isOurs = message.answer?.value === this.#syncId;
        this.#phase = isOurs ? { name: 'idle' } : { name: 'syncing', delimited: false };
        return isOurs ? { type: 'ready' } : undefined;
      }
      case 'idle':
        // Nothing was asked.
        return undefined;
      case 'waiting': {
        const { answer, error } = message;
        if (answer === undefined && error === undefined) {
          return unexpected(object, 'an answer of the guest agent');
        }
        this.#phase = { name: 'idle' };
        if (answer !== undefined) return { type: 'return', id: phase.id, value: answer.value };
        return error === undefined ? undefined : { type: 'error', id: phase.id, ...error };
      }
    }
  }
}
