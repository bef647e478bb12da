import { type Fault, fault, protocolError } from '../fault.js';
import { escapeBytes } from '../text.js';

/** Bytes of all heads of one exchange together, interim responses included. */
export const MAX_HEAD_BYTES = 64 * 1024;
const PREFIX = Buffer.from('HTTP/1.');
const LF = 0x0a;
const CR = 0x0d;
const FIRST_CAPACITY = 1024;

/** Collects a head; each byte is looked at once, however slowly they come. */
export class HeadReader {
  #buffer = Buffer.alloc(0);
  #length = 0;
  /** What the current line holds so far. */
  #line: 'empty' | 'carriage-return' | 'text' = 'empty';
  /** Bytes of earlier (interim) heads. */
  #spent = 0;

  /** Bytes received and not yet a whole head. */
  get pending(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** True when not a single byte came. */
  get isUntouched(): boolean {
    return this.#spent === 0 && this.#length === 0;
  }

  /**
   * Takes bytes up to the end of the head. Gives the head and how many of `bytes` it took; undefined: go on.
   * After a whole head the next one begins.
   */
  push(bytes: Buffer): { readonly head: Buffer; readonly used: number } | Fault | undefined {
    const wrong = this.#checkPrefix(bytes);
    if (wrong !== undefined) return wrong;
    const room = MAX_HEAD_BYTES - this.#spent - this.#length;
    const end = this.#findEnd(bytes.subarray(0, room));
    if (end === undefined) {
      if (bytes.length >= room) {
        return fault('response-too-large', `the response head is over ${MAX_HEAD_BYTES} bytes`);
      }
      this.#keep(bytes);
      return undefined;
    }
    this.#keep(bytes.subarray(0, end));
    const head = this.pending;
    this.#spent += head.length;
    this.#buffer = Buffer.alloc(0);
    this.#length = 0;
    this.#line = 'empty';
    return { head, used: end };
  }

  #checkPrefix(bytes: Buffer): Fault | undefined {
    const wanted = PREFIX.subarray(this.#length, this.#length + bytes.length);
    if (wanted.equals(bytes.subarray(0, wanted.length))) return undefined;
    const seen = escapeBytes(Buffer.concat([this.pending, bytes.subarray(0, 64)]), 32);
    return protocolError(`not an HTTP/1 response: it begins "${seen}"`);
  }

  /** Where the empty line that ends the head ends. */
  #findEnd(bytes: Buffer): number | undefined {
    let start = 0;
    for (;;) {
      const newline = bytes.indexOf(LF, start);
      const end = newline === -1 ? bytes.length : newline;
      if (end === start + 1 && bytes[start] === CR && this.#line === 'empty') this.#line = 'carriage-return';
      else if (end > start) this.#line = 'text';
      if (newline === -1) return undefined;
      start = newline + 1;
      if (this.#line !== 'text') return start;
      this.#line = 'empty';
    }
  }

  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, FIRST_CAPACITY, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    bytes.copy(this.#buffer, this.#length);
    this.#length = length;
  }
}
