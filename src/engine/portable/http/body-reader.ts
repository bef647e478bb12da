import { type Fault, protocolError } from '../fault.js';
import { type BodyStep, Chunked, type Rest } from './chunked.js';
import { type Head, headerValues } from './head.js';

const MAX_LENGTH = 2n ** 63n - 1n;

/** Finds the data and the end of a response body. */
export class BodyReader {
  /** Bytes that are left; undefined: chunked, or until the connection closes. */
  #left: number | undefined;
  readonly #chunked: Chunked | undefined;

  private constructor(left: number | undefined, chunked?: Chunked) {
    this.#left = left;
    this.#chunked = chunked;
  }

  /** How the body of a final response ends (RFC 9112 section 6.3, and Go's client where it leaves a choice). */
  static of(head: Head, requestWasHead: boolean): BodyReader | Fault {
    if (requestWasHead || head.status === 204 || head.status === 304) return new BodyReader(0);
    // HTTP/1.0 has no transfer encodings.
    const encodings = head.isHttp11 ? headerValues(head, 'transfer-encoding') : [];
    if (encodings.length > 0) {
      if (encodings.length > 1 || encodings[0]?.toLowerCase() !== 'chunked') {
        return protocolError('the response has a transfer encoding other than chunked');
      }
      // It overrides a Content-Length.
      return new BodyReader(undefined, new Chunked());
    }
    const [length, ...others] = headerValues(head, 'content-length');
    if (length === undefined) return new BodyReader(undefined);
    if (others.some((other) => other !== length)) {
      return protocolError('the response has conflicting Content-Length headers');
    }
    if (!/^\d+$/.test(length) || BigInt(length) > MAX_LENGTH) {
      return protocolError('the response has a bad Content-Length');
    }
    return new BodyReader(Number(length));
  }

  /** Bytes that were announced and have not come. */
  get announced(): number | undefined {
    return this.#left;
  }

  get endsWithStream(): boolean {
    return this.#left === undefined && this.#chunked === undefined;
  }

  /** Takes the next piece off the rest. */
  next(rest: Rest): BodyStep | Fault {
    if (this.#chunked !== undefined) return this.#chunked.next(rest);
    if (this.#left === 0) return 'end';
    if (rest.bytes.length === 0) return 'more';
    const data = rest.bytes.subarray(0, this.#left);
    rest.bytes = rest.bytes.subarray(data.length);
    if (this.#left !== undefined) this.#left -= data.length;
    return { data };
  }
}
