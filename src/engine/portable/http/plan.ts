import type { HttpGetOptions } from '../../../model/probe.js';
import { argumentError } from '../argument.js';
import type { TlsClient } from '../stream/tls-client.js';
import { Expectations } from './expect.js';
import type { Hop } from './hop.js';
import { checkHeaders, checkMethod, requestTarget } from './request-checks.js';

/** Body bytes that are read when the options set no limit, as the kubelet does. */
export const DEFAULT_BODY_BYTES = 10 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REQUEST_BODY_BYTES = 64 * 1024;
const BODY_METHODS: readonly string[] = ['POST', 'PUT', 'PATCH'];

type Headers = HttpGetOptions['headers'];

/** Checked options in the shape in which requests need them; targets that ask the same share one. */
export class HttpPlan {
  readonly tls: boolean;
  readonly port: number;
  readonly target: string;
  readonly isHead: boolean;
  /** The user's `Host` header. */
  readonly hostHeader: string | undefined;
  readonly keepAlive: boolean;
  readonly tlsClient: TlsClient;
  readonly certificateExpiresWithinDays: number | undefined;
  readonly expect: Expectations;
  /** A larger body fails; undefined: the default is read and the rest dropped. */
  readonly maxBodyBytes: number | undefined;
  readonly #method: string;
  /** Every other header line that a request carries, `Content-Length` apart. */
  readonly #headerLines: string;
  readonly #body: Buffer;

  /** `userAgent`: of requests that do not set their own. Throws ERR_VMPULSE_ARGUMENT naming the field. */
  constructor(http: HttpGetOptions, tlsClient: TlsClient, userAgent: string) {
    const { maxBodyBytes } = http;
    if (!Number.isInteger(http.port) || http.port < 1 || http.port > 65_535) {
      throw argumentError('http.port: must be 1 to 65535');
    }
    if (maxBodyBytes !== undefined && !(maxBodyBytes >= 1 && maxBodyBytes <= MAX_BODY_BYTES)) {
      throw argumentError(`http.maxBodyBytes: must be 1 to ${MAX_BODY_BYTES}`);
    }
    this.#method = checkMethod(http.method ?? 'GET');
    this.#body = Buffer.from(http.body ?? '', 'utf8');
    if (this.#body.length > MAX_REQUEST_BODY_BYTES) {
      throw argumentError(`http.body: is larger than ${MAX_REQUEST_BODY_BYTES} bytes`);
    }
    checkHeaders(http.headers);
    this.target = requestTarget(http.path);
    this.isHead = this.#method.toUpperCase() === 'HEAD';
    this.expect = new Expectations(http.expect ?? {}, this.isHead);
    this.hostHeader = hostHeader(http.headers);
    this.tls = http.scheme === 'https';
    this.port = http.port;
    this.keepAlive = http.keepAlive === true;
    this.maxBodyBytes = maxBodyBytes;
    this.#headerLines = headerLines(http.headers, userAgent, this.keepAlive);
    this.tlsClient = tlsClient;
    this.certificateExpiresWithinDays = http.certificateExpiresWithinDays;
  }

  /** The bytes of a hop's request: its head, then its body. A redirect is followed without the body, as GET. */
  request(hop: Hop): { readonly head: Buffer; readonly body: Buffer } {
    const isFirst = hop.redirects === 0;
    const method = isFirst || this.isHead ? this.#method : 'GET';
    const sendsLength = isFirst && (this.#body.length > 0 || BODY_METHODS.includes(this.#method));
    const length = sendsLength ? `Content-Length: ${this.#body.length}\r\n` : '';
    const line = `${method} ${hop.target} HTTP/1.1\r\nHost: ${hop.hostLine}\r\n`;
    return {
      head: Buffer.from(`${line}${this.#headerLines}${length}\r\n`, 'utf8'),
      body: isFirst ? this.#body : Buffer.alloc(0),
    };
  }
}

function hostHeader(headers: Headers): string | undefined {
  const given = headers.find(([name, value]) => name.toLowerCase() === 'host' && value !== '')?.[1].trim();
  if (given !== undefined && /[ \t/]/.test(given))
    throw argumentError('http.headers: Host is not a host name');
  return given;
}

/** Our defaults unless the user replaced or removed them, then the user's headers. */
function headerLines(headers: Headers, userAgent: string, keepAlive: boolean): string {
  const defaults = [
    ['User-Agent', userAgent],
    ['Accept', '*/*'],
    ['Connection', keepAlive ? '' : 'close'],
  ] as const;
  const isGiven = (name: string): boolean => headers.some(([n]) => n.toLowerCase() === name.toLowerCase());
  const isDefault = (name: string): boolean =>
    defaults.some(([ours]) => ours.toLowerCase() === name.toLowerCase());
  const ours = defaults.filter(([name, value]) => value !== '' && !isGiven(name));
  const theirs = headers.filter(
    ([name, value]) => name.toLowerCase() !== 'host' && !(value === '' && isDefault(name)),
  );
  return [...ours, ...theirs].map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
