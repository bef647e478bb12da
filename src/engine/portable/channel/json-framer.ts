import { type Fault, fault, protocolError } from '../fault.js';
import { escapeBytes } from '../text.js';

/** Nesting that is accepted. */
const MAX_DEPTH = 100;
/** Bytes of a stream that is not ours which a message shows. */
const SEEN_BYTES = 64;
const FIRST_CAPACITY = 1024;
/** Buffers above this are given back after use. */
const KEPT_CAPACITY = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BLANKS: readonly number[] = [0x20, 0x09, 0x0a, 0x0c, 0x0d];

/** Splits a stream into JSON objects by counting brackets, so that neither line ends nor pretty-printing matter. */
export class JsonFramer {
  readonly #maxBytes: number;
  #buffer = Buffer.alloc(0);
  #length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes bytes up to the end of the current object. A number: the object is complete after that many of them. */
  push(bytes: Buffer): number | Fault | undefined {
    let start = 0;
    if (this.#depth === 0) {
      start = bytes.findIndex((byte) => !BLANKS.includes(byte));
      if (start === -1) return undefined;
      if (bytes[start] !== OPEN_BRACE) return notJson(bytes.subarray(start));
    }
    for (let index = start; index < bytes.length; index++) {
      if (!this.#step(bytes[index] ?? 0)) return protocolError(`JSON nested deeper than ${MAX_DEPTH}`);
      if (this.#depth === 0) return this.#keep(bytes.subarray(start, index + 1)) ?? index + 1;
    }
    return this.#keep(bytes.subarray(start));
  }

  /** The complete object that `push` reported, until `reset`. */
  get object(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Begins anew. */
  reset(): void {
    if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = Buffer.alloc(0);
    this.#length = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  /** False: nested too deep. */
  #step(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
    } else if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      this.#depth += 1;
      return this.#depth <= MAX_DEPTH;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth -= 1;
    return true;
  }

  #keep(bytes: Buffer): Fault | undefined {
    const length = this.#length + bytes.length;
    if (length > this.#maxBytes) {
      return fault('response-too-large', `a message is larger than ${this.#maxBytes} bytes`);
    }
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, FIRST_CAPACITY, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    bytes.copy(this.#buffer, this.#length);
    this.#length = length;
    return undefined;
  }
}

/** Whether a JSON text is nested as deep as is accepted, or less. What is no JSON is for the parser to find. */
export function isShallow(text: Buffer): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (isInString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    if (depth > MAX_DEPTH) return false;
  }
  return true;
}

/** The fault for bytes that cannot be a message. */
export function notJson(seen: Buffer): Fault {
  return protocolError(`expected a JSON object, received "${escapeBytes(seen, SEEN_BYTES)}"`);
}

/** The fault for a well-formed object that is no message of the protocol, or comes at the wrong time. */
export function unexpected(object: Buffer, wanted: string): Fault {
  return protocolError(`expected ${wanted}, received "${escapeBytes(object, SEEN_BYTES)}"`);
}
