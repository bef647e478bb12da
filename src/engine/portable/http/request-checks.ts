import { argumentError } from '../argument.js';
import { percentEncode } from './uri.js';

const MAX_PATH_BYTES = 8 * 1024;
const MAX_HEADERS = 64;
const MAX_HEADER_VALUE_BYTES = 8 * 1024;
const MAX_HEADER_NAME_BYTES = 256;
const MAX_METHOD_BYTES = 32;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** They follow from the body. */
const OURS_ALONE = ['content-length', 'transfer-encoding'];
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL_BUT_TAB = /[\x00-\x08\x0a-\x1f\x7f]/;

type Headers = readonly (readonly [name: string, value: string])[];

export function checkHeaderName(field: string, name: string): void {
  if (TOKEN.test(name) && name.length <= MAX_HEADER_NAME_BYTES) return;
  throw argumentError(`http.${field}: ${JSON.stringify(name.slice(0, 64))} is not a header name`);
}

export function checkMethod(method: string): string {
  if (!TOKEN.test(method) || method.length > MAX_METHOD_BYTES) {
    throw argumentError('http.method: must be an HTTP method, for example GET');
  }
  if (method.toUpperCase() === 'CONNECT') throw argumentError('http.method: must not be CONNECT');
  return method;
}

export function checkHeaders(headers: Headers): void {
  if (headers.length > MAX_HEADERS) throw argumentError(`http.headers: are more than ${MAX_HEADERS}`);
  for (const [name, value] of headers) {
    checkHeaderName('headers', name);
    if (OURS_ALONE.includes(name.toLowerCase())) {
      throw argumentError(`http.headers: ${name} follows from the body and cannot be given`);
    }
    // Line ends would let a value add headers or a second request.
    if (CONTROL_BUT_TAB.test(value)) {
      throw argumentError(`http.headers: the value of ${name} has a control character`);
    }
    if (Buffer.byteLength(value) > MAX_HEADER_VALUE_BYTES) {
      throw argumentError(
        `http.headers: the value of ${name} is longer than ${MAX_HEADER_VALUE_BYTES} bytes`,
      );
    }
  }
}

/** The request target of a path: no fragment, a leading slash, percent-encoded where needed. */
export function requestTarget(path: string): string {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw argumentError(`http.path: is longer than ${MAX_PATH_BYTES} bytes`);
  }
  if (CONTROL.test(path)) throw argumentError('http.path: has a control character');
  const [kept = ''] = path.split('#');
  return `${kept.startsWith('/') ? '' : '/'}${percentEncode(Buffer.from(kept, 'utf8'))}`;
}
