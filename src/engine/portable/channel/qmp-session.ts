import type { Reason } from '../../../model/reasons.js';
import { type Fault, fault } from '../fault.js';
import { parseIncoming } from './incoming.js';
import { JsonFramer, unexpected } from './json-framer.js';
import { requestLine } from './request.js';
import { type EncodedRequest, MAX_MESSAGE_BYTES, type Session, type SessionMessage } from './session.js';

/** Requests that may be outstanding at once. */
const MAX_OUTSTANDING = 256;
/** Bytes of requests that may wait to be written. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** One connection of a QEMU monitor: greeting, capabilities, then requests in any number, and events. */
export class QmpSession implements Session {
  readonly #framer = new JsonFramer(MAX_MESSAGE_BYTES);
  readonly #outstanding = new Set<number>();
  #phase: 'greeting' | 'negotiating' | 'ready' = 'greeting';
  #out: Buffer[] = [];
  #outBytes = 0;

  get isReady(): boolean {
    return (
      this.#phase === 'ready' &&
      this.#outstanding.size < MAX_OUTSTANDING &&
      this.#outBytes < MAX_UNWRITTEN_BYTES
    );
  }

  get timeoutReason(): Reason {
    // A monitor that is held by another client accepts and stays silent.
    return this.#phase === 'greeting' ? 'channel-busy' : 'response-timeout';
  }

  pull(): Buffer {
    const out = Buffer.concat(this.#out);
    this.#out = [];
    this.#outBytes = 0;
    return out;
  }

  send(id: number, request: EncodedRequest): void {
    this.#outstanding.add(id);
    this.#say({ ...request, id });
  }

  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined {
    let rest = bytes;
    for (;;) {
      const used = this.#framer.push(rest);
      if (typeof used !== 'number') return used;
      rest = rest.subarray(used);
      const step = this.#onObject(this.#framer.object);
      this.#framer.reset();
      if (step === undefined) continue;
      if ('reason' in step) return step;
      messages.push(step);
    }
  }

  forget(id: number): void {
    this.#outstanding.delete(id);
  }

  #say(request: object): void {
    const line = requestLine(request);
    this.#out.push(line);
    this.#outBytes += line.length;
  }

  #onObject(object: Buffer): SessionMessage | Fault | undefined {
    const message = parseIncoming(object);
    if ('reason' in message) return message;
    if (this.#phase === 'greeting') {
      if (!message.isGreeting) return unexpected(object, 'the greeting of a QMP monitor');
      this.#phase = 'negotiating';
      this.#say({ execute: 'qmp_capabilities', id: 'vmpulse' });
      return undefined;
    }
    if (message.event !== undefined) return message.event;
    if (this.#phase === 'negotiating') {
      if (message.answer !== undefined) {
        this.#phase = 'ready';
        return { type: 'ready' };
      }
      return message.error === undefined
        ? unexpected(object, 'the answer to qmp_capabilities')
        : fault('api-error', 'the monitor refused qmp_capabilities');
    }
    const { answer, error, id } = message;
    if (answer === undefined && error === undefined) return unexpected(object, 'an answer or an event');
    // Otherwise the late answer to a request that was forgotten, or an error that answers none.
    if (typeof id !== 'number' || !this.#outstanding.delete(id)) {
      return answer !== undefined && id === undefined
        ? unexpected(object, 'an answer or an event')
        : undefined;
    }
    if (answer !== undefined) return { type: 'return', id, value: answer.value };
    return error === undefined ? undefined : { type: 'error', id, ...error };
  }
}
