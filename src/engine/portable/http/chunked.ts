import { type Fault, fault, protocolError } from '../fault.js';

/** Bytes of one chunk-size line. */
const MAX_LINE = 4096;
/** Bytes of all trailers together. */
const MAX_TRAILERS = 8 * 1024;
/** Framing bytes beyond a fair share of the data; a peer cannot feed us extensions without end. */
const MAX_EXCESS = 16 * 1024;
const MAX_DIGITS = 16;

const CR = 0x0d;
const LF = 0x0a;
const BLANK_OR_EXTENSION: readonly number[] = [0x3b, 0x20, 0x09];

type State =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer-start'
  | 'trailer'
  | 'end-lf'
  | 'end';

/** One step of reading a body: data, the end, or nothing more in the bytes that are there. */
export type BodyStep = { readonly data: Buffer } | 'end' | 'more';

/** Bytes being taken off from the front. */
export interface Rest {
  bytes: Buffer;
}

function hexValue(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

/** The chunked transfer coding (RFC 9112 section 7.1). */
export class Chunked {
  #state: State = 'size';
  /** The size being read, then the data bytes left of the chunk. */
  #left = 0;
  #digits = 0;
  /** Bytes of the current size line, or of the trailers. */
  #line = 0;
  #excess = 0;

  /** Takes the next piece of data off the rest. */
  next(rest: Rest): BodyStep | Fault {
    for (;;) {
      if (this.#state === 'end') return 'end';
      if (rest.bytes.length === 0) return 'more';
      if (this.#state === 'data') {
        const data = rest.bytes.subarray(0, this.#left);
        rest.bytes = rest.bytes.subarray(data.length);
        this.#left -= data.length;
        if (this.#left === 0) this.#state = 'data-cr';
        return { data };
      }
      const wrong = this.#readFraming(rest);
      if (wrong !== undefined) return wrong;
    }
  }

  /** Reads up to the next data, the end or the last byte. */
  #readFraming(rest: Rest): Fault | undefined {
    let used = 0;
    for (const byte of rest.bytes) {
      used += 1;
      const state = this.#step(byte);
      if (typeof state !== 'string') return state;
      this.#state = state;
      if (state === 'data' || state === 'end') break;
    }
    rest.bytes = rest.bytes.subarray(used);
    return undefined;
  }

  #step(byte: number): State | Fault {
    switch (this.#state) {
      case 'size':
        return this.#size(byte);
      case 'extension':
        if (byte === CR) return 'size-lf';
        if (byte === LF) return protocolError('a chunk size line ends without a carriage return');
        return this.#extension();
      case 'size-lf':
        return byte === LF ? this.#sizeDone() : protocolError('a chunk has a bad line end');
      case 'data-cr':
        return byte === CR ? 'data-lf' : protocolError('a chunk is longer than its size');
      case 'data-lf':
        if (byte !== LF) return protocolError('a chunk is longer than its size');
        this.#left = 0;
        this.#digits = 0;
        this.#line = 0;
        return 'size';
      case 'trailer-start':
        if (byte === CR) return 'end-lf';
        if (byte === LF) return protocolError('a chunk has a bad line end');
        return this.#trailer(byte);
      case 'trailer':
        return this.#trailer(byte);
      case 'end-lf':
      case 'data':
      case 'end':
        return byte === LF ? 'end' : protocolError('the last chunk has a bad end');
    }
  }

  #size(byte: number): State | Fault {
    const value = hexValue(byte);
    if (value !== undefined) {
      this.#digits += 1;
      if (this.#digits > MAX_DIGITS) return protocolError('a chunk size is too long');
      this.#left = this.#left * 16 + value;
      this.#line += 1;
      return 'size';
    }
    if (this.#digits === 0) return protocolError('a chunk has no size');
    if (BLANK_OR_EXTENSION.includes(byte)) return this.#extension();
    return byte === CR ? 'size-lf' : protocolError('a chunk has a bad size');
  }

  #extension(): State | Fault {
    this.#line += 1;
    if (this.#line > MAX_LINE) {
      return fault('response-too-large', `a chunk size line is over ${MAX_LINE} bytes`);
    }
    return 'extension';
  }

  #sizeDone(): State | Fault {
    // Sixteen bytes a chunk and twice its data are fair: even one byte a chunk passes.
    const fair = this.#left * 2 + 16;
    this.#excess = Math.max(this.#excess + this.#line + 4 - fair, 0);
    if (this.#excess > MAX_EXCESS) return fault('response-too-large', 'the chunks are mostly framing');
    if (this.#left > 0) return 'data';
    this.#line = 0;
    return 'trailer-start';
  }

  #trailer(byte: number): State | Fault {
    this.#line += 1;
    if (this.#line > MAX_TRAILERS) {
      return fault('response-too-large', `the trailers are over ${MAX_TRAILERS} bytes`);
    }
    return byte === LF ? 'trailer-start' : 'trailer';
  }
}
