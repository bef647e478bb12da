import type { Outcome } from '../../../model/outcome.js';
import type { Reason } from '../../../model/reasons.js';
import { type Fault, fault, protocolError } from '../fault.js';
import type { Secured } from '../stream/stream.js';
import { escapeBytes } from '../text.js';
import type { Transcript } from '../transcript.js';
import { type ExchangeResult, type Measured, outcomeOf } from '../verdict.js';
import { BodyReader } from './body-reader.js';
import type { Rest } from './chunked.js';
import { type Head, headerValues, keepsAlive, parseHead } from './head.js';
import { HeadReader } from './head-reader.js';
import { type Hop, MAX_REDIRECTS } from './hop.js';
import { DEFAULT_BODY_BYTES, type HttpPlan } from './plan.js';

/** Interim (1xx) responses that are skipped. */
const MAX_INTERIM = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** What to do after a step: go on (undefined), stop with a verdict, or follow a redirect on a new connection. */
export type Progress = ExchangeResult | Hop | undefined;

/** One request and its response, without I/O: bytes in, bytes out, decisions. */
export class HttpExchange {
  readonly #plan: HttpPlan;
  readonly #hop: Hop;
  readonly #transcript: Transcript | undefined;
  readonly #measured: Measured;
  readonly #warnings: string[] = [];
  #head: HeadReader | undefined = new HeadReader();
  #reader: BodyReader | undefined;
  #interim = 0;
  /** The part of the body that is matched or shown. */
  #body: Buffer[] = [];
  #keepsAlive = false;

  /** `transcript`: of this hop and those before it, if one is kept. */
  constructor(plan: HttpPlan, hop: Hop, transcript: Transcript | undefined) {
    this.#plan = plan;
    this.#hop = hop;
    this.#transcript = transcript;
    this.#measured = { bodyBytes: 0, redirects: hop.redirects };
  }

  /** The request, to be sent once. */
  request(): Buffer {
    const { head, body } = this.#plan.request(this.#hop);
    this.#transcript?.head('>', head);
    return Buffer.concat([head, body]);
  }

  /** The TLS handshake is complete. */
  secured({ version, notAfterMs }: Secured): void {
    this.#measured.tlsVersion = version;
    if (notAfterMs !== undefined) this.#measured.certificateNotAfterMs = notAfterMs;
    const until = notAfterMs === undefined ? 'an unknown time' : new Date(notAfterMs).toISOString();
    this.#transcript?.note(`${version}, certificate ends at ${until}`);
  }

  /** The peer sent bytes. After a verdict or a redirect it must not be fed again. */
  onBytes(bytes: Buffer): Progress {
    const rest: Rest = { bytes };
    while (this.#head !== undefined) {
      // Empty again only between two heads.
      if (rest.bytes.length === 0) return undefined;
      const read = this.#head.push(rest.bytes);
      if (read === undefined) return undefined;
      if ('reason' in read) return this.fail(read);
      rest.bytes = rest.bytes.subarray(read.used);
      const progress = this.#onHead(read.head);
      if (progress !== undefined) return progress;
    }
    return this.#readBody(rest);
  }

  /** The peer closed its side in order. */
  onEof(): ExchangeResult {
    if (this.#reader?.endsWithStream === true) return this.#finish(false);
    return this.fail(fault('connection-closed', `closed by the server ${this.#place()}`));
  }

  /** The conversation ends for a cause outside it, for example `connection-reset`. */
  onAbort(reason: Reason): ExchangeResult {
    return this.fail(fault(reason, `${reason} ${this.#place()}`));
  }

  fail({ reason, message }: Fault): ExchangeResult {
    return this.#result(outcomeOf(reason), message, false);
  }

  /** Undefined: an interim response, or the body is next. */
  #onHead(bytes: Buffer): Progress {
    this.#transcript?.head('<', bytes);
    const head = parseHead(bytes);
    if ('reason' in head) return this.fail(head);
    if (head.status === 101) return this.fail(protocolError('the server switched protocols unasked'));
    if (head.status >= 100 && head.status < 200) {
      this.#interim += 1;
      return this.#interim > MAX_INTERIM
        ? this.fail(protocolError(`more than ${MAX_INTERIM} interim responses`))
        : undefined;
    }
    this.#head = undefined;
    this.#measured.status = head.status;
    this.#keepsAlive = keepsAlive(head);
    return this.#onFinalHead(head);
  }

  #onFinalHead(head: Head): Progress {
    const reader = BodyReader.of(head, this.#plan.isHead);
    if ('reason' in reader) return this.fail(reader);
    if (REDIRECTS.includes(head.status) && this.#plan.expect.followsRedirects) {
      const redirect = this.#onRedirect(head);
      if (redirect !== undefined) return redirect;
    }
    const wrong = this.#plan.expect.checkHead(head);
    if (wrong !== undefined) return this.fail(wrong);
    const { maxBodyBytes } = this.#plan;
    if (maxBodyBytes !== undefined && (reader.announced ?? 0) > maxBodyBytes) {
      return this.fail(tooLarge(maxBodyBytes));
    }
    this.#reader = reader;
    return undefined;
  }

  /** Undefined: the redirect is judged as the answer. */
  #onRedirect(head: Head): Progress {
    const [location = ''] = headerValues(head, 'location');
    if (location === '') {
      this.#warnings.push('redirect-without-location');
      return undefined;
    }
    const next = this.#hop.redirect(location);
    if (next === 'other-host') {
      this.#warnings.push('redirect-not-followed');
      return undefined;
    }
    if (next === 'bad') {
      const shown = escapeBytes(Buffer.from(location, 'latin1'), 128);
      return this.fail(fault('bad-header', `cannot follow a redirect to "${shown}"`));
    }
    if (next.redirects > MAX_REDIRECTS) {
      return this.fail(protocolError(`more than ${MAX_REDIRECTS} redirects`));
    }
    this.#transcript?.note(`redirect ${next.redirects} on port ${next.port}`);
    return next;
  }

  #readBody(rest: Rest): Progress {
    const { maxBodyBytes } = this.#plan;
    const limit = maxBodyBytes ?? DEFAULT_BODY_BYTES;
    while (this.#reader !== undefined) {
      const step = this.#reader.next(rest);
      if (step === 'more') return undefined;
      if (step === 'end') return this.#finish(rest.bytes.length === 0);
      if ('reason' in step) return this.fail(step);
      const kept = step.data.subarray(0, limit - this.#measured.bodyBytes);
      this.#measured.bodyBytes += kept.length;
      if (this.#plan.expect.needsBody || this.#transcript !== undefined) this.#body.push(kept);
      if (kept.length < step.data.length && maxBodyBytes !== undefined) return this.fail(tooLarge(limit));
      if (this.#measured.bodyBytes === limit && maxBodyBytes === undefined) return this.#finish(false);
    }
    return undefined;
  }

  /** The body was read as far as it is needed. */
  #finish(cleanEnd: boolean): ExchangeResult {
    const body = Buffer.concat(this.#body);
    this.#body = [body];
    const mismatch = this.#plan.expect.checkBody(body);
    if (mismatch !== undefined) return this.fail(mismatch);
    const reusable = cleanEnd && this.#keepsAlive && this.#plan.keepAlive;
    return this.#result({ result: 'ok' }, undefined, reusable);
  }

  #result(outcome: Outcome, message: string | undefined, reusable: boolean): ExchangeResult {
    const transcript = this.#transcript;
    if (transcript !== undefined) {
      if (this.#head !== undefined) transcript.head('<', this.#head.pending);
      const body = Buffer.concat(this.#body);
      if (body.length > 0) transcript.line('<', body);
      if (message !== undefined) transcript.note(message);
    }
    return {
      outcome,
      measured: this.#measured,
      warnings: this.#warnings,
      ...(message === undefined ? {} : { message }),
      ...(transcript === undefined ? {} : { transcript: transcript.text }),
      reusable,
    };
  }

  /** Where the conversation stands. */
  #place(): string {
    if (this.#head?.isUntouched === true) return 'before any byte of the response';
    if (this.#head !== undefined) {
      return `within the response head, after ${this.#head.pending.length} bytes of it`;
    }
    const left = this.#reader?.announced;
    const short = left === undefined ? '' : `, ${left} short`;
    return `${this.#measured.bodyBytes} bytes into the body${short}`;
  }
}

function tooLarge(max: number): Fault {
  return fault('response-too-large', `the body is larger than ${max} bytes`);
}
