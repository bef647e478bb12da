import { z } from 'zod';
import type { Reason } from '../../../model/reasons.js';
import { type Fault, fault, protocolError } from '../fault.js';
import { BodyReader } from '../http/body-reader.js';
import { type Head, keepsAlive, parseHead } from '../http/head.js';
import { HeadReader } from '../http/head-reader.js';
import { escapeBytes, escapeText } from '../text.js';
import { isShallow } from './json-framer.js';
import { type EncodedRequest, MAX_MESSAGE_BYTES, type Session, type SessionMessage } from './session.js';

/** Interim responses before one answer. */
const MAX_INTERIM = 5;
/** Bytes of an error text that are kept. */
const MAX_TEXT = 1024;
/** What an API says when it serves as many clients as it can. */
const TOO_MANY_CLIENTS = 503;

const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Cloud Hypervisor sends the chain of its errors as a list, Firecracker and the HTTP server below both an object. */
const errorChain = z.array(z.string());
const errorObject = z.object({ fault_message: z.string().nullish(), error: z.string().nullish() });

/** An answer that is being read. */
class Answer {
  readonly head = new HeadReader();
  interim = 0;
  /** Once the head is there. */
  final: { readonly head: Head; readonly body: BodyReader } | undefined;
  readonly pieces: Buffer[] = [];
  bytes = 0;

  get isUntouched(): boolean {
    return this.final === undefined && this.head.isUntouched;
  }
}

/**
 * One connection of a REST API, kept alive. A command is answered by `{ status, body }` for a status of 200 to 299, else
 * by an error of the class `http-<status>`. Requests go one at a time, because the answers carry no ids: after a request
 * that was forgotten nothing is sent until its answer came, and was dropped.
 */
export class RestSession implements Session {
  readonly #userAgent: string;
  #out = Buffer.alloc(0);
  /** The request whose answer is due; `id` undefined: nobody waits for it any more. */
  #due: { id: number | undefined } | undefined;
  #answer = new Answer();
  #answered = false;
  #spent = false;

  constructor(userAgent: string) {
    this.#userAgent = userAgent;
  }

  get isReady(): boolean {
    return this.#due === undefined && !this.#spent && this.#answer.isUntouched;
  }

  get timeoutReason(): Reason {
    return 'response-timeout';
  }

  get isProven(): boolean {
    return this.#answered;
  }

  get isReplaceable(): boolean {
    return this.#answered && this.#due === undefined && this.#answer.isUntouched;
  }

  get isStuck(): boolean {
    return this.#due === undefined ? !this.#answer.isUntouched : this.#due.id === undefined;
  }

  get isSpent(): boolean {
    return this.#spent;
  }

  pull(): Buffer {
    const out = this.#out;
    this.#out = Buffer.alloc(0);
    return out;
  }

  send(id: number, { execute, arguments: args }: EncodedRequest): void {
    this.#due = { id };
    const head = `${execute} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${this.#userAgent}\r\nAccept: application/json\r\n`;
    // Cloud Hypervisor refuses a body, even an empty one, where it wants none.
    const body = args === undefined ? '' : JSON.stringify(args);
    const describes = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    this.#out = Buffer.from(`${head}${body === '' ? '' : describes}\r\n${body}`);
  }

  onBytes(bytes: Buffer, messages: SessionMessage[]): Fault | undefined {
    const rest = { bytes };
    // What follows an answer that closes the connection belongs to nobody.
    while (rest.bytes.length > 0 && !this.#spent) {
      const step = this.#read(rest);
      if (typeof step !== 'string') return step;
      const wrong = step === 'complete' ? this.#conclude(messages) : undefined;
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  onEnd(messages: SessionMessage[]): Fault | undefined {
    if (this.#answer.final?.body.endsWithStream !== true) return undefined;
    const wrong = this.#conclude(messages);
    this.#spent = true;
    return wrong;
  }

  forget(id: number): void {
    if (this.#due?.id === id) this.#due.id = undefined;
  }

  /** Takes the next piece. */
  #read(rest: { bytes: Buffer }): 'more' | 'complete' | Fault {
    const answer = this.#answer;
    if (answer.final === undefined) {
      const step = answer.head.push(rest.bytes);
      if (step === undefined) {
        rest.bytes = rest.bytes.subarray(rest.bytes.length);
        return 'more';
      }
      if ('reason' in step) return step;
      rest.bytes = rest.bytes.subarray(step.used);
      const head = parseHead(step.head);
      if ('reason' in head) return head;
      if (head.status < 200) {
        answer.interim += 1;
        return head.status === 101 || answer.interim > MAX_INTERIM
          ? protocolError(`an interim response of status ${head.status}`)
          : 'more';
      }
      const body = BodyReader.of(head, false);
      if ('reason' in body) return body;
      answer.final = { head, body };
    }
    for (;;) {
      const step = answer.final.body.next(rest);
      if (step === 'more') return 'more';
      if (step === 'end') return 'complete';
      if ('reason' in step) return step;
      answer.bytes += step.data.length;
      if (answer.bytes > MAX_MESSAGE_BYTES) {
        return fault('response-too-large', `an answer is larger than ${MAX_MESSAGE_BYTES} bytes`);
      }
      answer.pieces.push(Buffer.from(step.data));
    }
  }

  /** The answer is complete: what it says to whoever asked. */
  #conclude(messages: SessionMessage[]): Fault | undefined {
    const { final, pieces } = this.#answer;
    this.#answer = new Answer();
    if (final === undefined) return undefined;
    const { status } = final.head;
    const body = Buffer.concat(pieces);
    if (status === TOO_MANY_CLIENTS) {
      return fault('channel-busy', `the API serves as many clients as it can: ${errorText(body)}`);
    }
    if (this.#due === undefined) {
      return protocolError(`an answer of status ${status} that nobody asked for`);
    }
    const { id } = this.#due;
    this.#due = undefined;
    if (!this.#answered) messages.push({ type: 'ready' });
    this.#answered = true;
    this.#spent = !keepsAlive(final.head);
    if (id === undefined) return undefined;
    if (status < 200 || status > 299) {
      messages.push({ type: 'error', id, class: `http-${status}`, description: errorText(body) });
      return undefined;
    }
    const value = bodyValue(body);
    if (value !== null && 'reason' in value) return value;
    messages.push({ type: 'return', id, value: { status, body: value?.json ?? null } });
    return undefined;
  }
}

/** `null`: there is none. */
function bodyValue(body: Buffer): { readonly json: unknown } | Fault | null {
  if (!isShallow(body)) return protocolError('the answer is JSON nested too deeply');
  try {
    const text = utf8.decode(body).trim();
    return text === '' ? null : { json: JSON.parse(text) };
  } catch {
    return protocolError(`expected JSON, received "${escapeBytes(body, 64)}"`);
  }
}

/** The error body in one bounded, escaped line. */
function errorText(body: Buffer): string {
  const text = body.toString('utf8').trim();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return escapeText(text, MAX_TEXT);
  }
  const chain = errorChain.safeParse(value);
  if (chain.success) return escapeText(chain.data.join(': '), MAX_TEXT);
  const object = errorObject.safeParse(value);
  const message = object.success ? (object.data.fault_message ?? object.data.error) : undefined;
  return escapeText(message ?? text, MAX_TEXT);
}
