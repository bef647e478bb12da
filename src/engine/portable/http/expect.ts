import type { HttpGetOptions } from '../../../model/probe.js';
import { argumentError } from '../argument.js';
import { type Fault, fault } from '../fault.js';
import { escapeBytes } from '../text.js';
import { type Head, trimBlanks } from './head.js';
import { compileRegex, matches, RegexError } from './regex.js';
import { checkHeaderName } from './request-checks.js';

type Range = readonly [from: number, to: number];

const DEFAULT_STATUS: readonly Range[] = [[200, 399]];
const MAX_RANGES = 64;
/** Bytes of a body or header that a message shows. */
const SHOWN_BYTES = 64;

/** What a response must be. */
export class Expectations {
  readonly #status: readonly Range[];
  readonly #contains: Buffer | undefined;
  readonly #regex: RegExp | undefined;
  /** Values as latin1 text of their UTF-8 bytes, as heads are read. */
  readonly #headers: readonly (readonly [name: string, value: string])[];

  /** Throws ERR_VMPULSE_ARGUMENT naming the field. */
  constructor(expect: NonNullable<HttpGetOptions['expect']>, isHead: boolean) {
    const { status = [], bodyContains, bodyRegex, headers = [] } = expect;
    const isRange = ([from, to]: Range): boolean =>
      Number.isInteger(from) && Number.isInteger(to) && from >= 100 && from <= to && to <= 999;
    if (status.length > MAX_RANGES || !status.every(isRange)) {
      throw argumentError(`http.expect.status: must be at most ${MAX_RANGES} ranges within 100 to 999`);
    }
    for (const [name] of headers) checkHeaderName('expect.headers', name);
    if (isHead && (bodyContains !== undefined || bodyRegex !== undefined)) {
      throw argumentError('http.expect: cannot look at a body: HEAD has none');
    }
    this.#status = status.length === 0 ? DEFAULT_STATUS : status.map(([from, to]) => [from, to]);
    this.#contains = bodyContains === undefined ? undefined : Buffer.from(bodyContains, 'utf8');
    this.#regex = bodyRegex === undefined ? undefined : compiled(bodyRegex);
    this.#headers = headers.map(([name, value]) => [name, Buffer.from(value, 'utf8').toString('latin1')]);
  }

  /** False when only redirect statuses are expected: then the redirect itself is the answer. */
  get followsRedirects(): boolean {
    return this.#status.some(([from, to]) => from < 300 || to > 399);
  }

  /** True when the body must be kept for matching. */
  get needsBody(): boolean {
    return this.#contains !== undefined || this.#regex !== undefined;
  }

  /** Judges the status, then the headers. */
  checkHead(head: Head): Fault | undefined {
    if (!this.#status.some(([from, to]) => head.status >= from && head.status <= to)) {
      const wanted = this.#status.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
      return fault('bad-status', `status ${head.status}, expected ${wanted.join(', ')}`);
    }
    for (const [name, value] of this.#headers) {
      const seen = head.headers.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v);
      if (seen.some((v) => value === '' || trimBlanks(v) === value)) continue;
      const last = seen.at(-1);
      const shown = last === undefined ? 'is missing' : `is "${escapeLatin1(trimBlanks(last))}"`;
      return fault('bad-header', `header ${name} ${shown}`);
    }
    return undefined;
  }

  /** Judges the part of the body that was read. */
  checkBody(body: Buffer): Fault | undefined {
    if (this.#contains !== undefined && !body.includes(this.#contains)) {
      return badBody(body, 'does not contain the expected text');
    }
    if (this.#regex === undefined) return undefined;
    const matched = matches(this.#regex, body.toString('utf8'));
    if (matched === undefined) {
      return fault('prober-resources', 'matching the body took too long; simplify expect.bodyRegex');
    }
    return matched ? undefined : badBody(body, 'does not match');
  }
}

function badBody(body: Buffer, what: string): Fault {
  const shown = escapeBytes(body, SHOWN_BYTES);
  return fault('bad-body', `the body (${body.length} bytes read) ${what}; it begins "${shown}"`);
}

function escapeLatin1(text: string): string {
  return escapeBytes(Buffer.from(text, 'latin1'), SHOWN_BYTES);
}

function compiled(pattern: string): RegExp {
  try {
    return compileRegex(pattern);
  } catch (error) {
    if (error instanceof RegexError) throw argumentError(`http.expect.bodyRegex: ${error.message}`);
    throw error;
  }
}
