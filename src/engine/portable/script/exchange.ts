import type { Outcome } from '../../../model/outcome.js';
import type { Reason } from '../../../model/reasons.js';
import { type Fault, fault } from '../fault.js';
import type { Secured } from '../stream/stream.js';
import { escapeBytes } from '../text.js';
import type { Transcript } from '../transcript.js';
import { type ExchangeResult, type Measured, outcomeOf } from '../verdict.js';
import type { Pattern } from './pattern.js';
import type { ScriptPlan } from './plan.js';

/** Bytes of an unexpected reply that a message shows. */
const SHOWN_BYTES = 64;

/** What was taken off the stream: a verdict, if there is one, and the bytes behind, which belong to the TLS layer. */
export interface Taken {
  readonly result: ExchangeResult | undefined;
  readonly rest: Buffer;
}

/** The steps of a script over one stream, without I/O: bytes in, bytes out, decisions. */
export class ScriptExchange {
  readonly #plan: ScriptPlan;
  readonly #transcript: Transcript | undefined;
  readonly #measured: Measured = { bodyBytes: 0, redirects: 0 };
  /** The step that is being done; past the last one: all are done. */
  #step = 0;
  /** Where the search of that step stands. */
  #search = 0;
  #outgoing: Buffer[] = [];
  #received = 0;
  /** What came since the last match: its first bytes, and how many in all. */
  #unmatched = Buffer.alloc(0);
  #unmatchedBytes = 0;

  constructor(plan: ScriptPlan, transcript: Transcript | undefined) {
    this.#plan = plan;
    this.#transcript = transcript;
    this.#beginStep();
  }

  /** The next step is to encrypt the stream; bytes go to the TLS layer from here on. */
  get wantsTls(): boolean {
    return this.#plan.acts[this.#step]?.type === 'start-tls';
  }

  /** What is to be sent now. */
  pull(): Buffer {
    const bytes = Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    return bytes;
  }

  /** Takes what the peer sent, up to a step that encrypts the stream. After a verdict it must not be fed again. */
  take(bytes: Buffer): Taken {
    let rest = bytes;
    while (rest.length > 0) {
      const pattern = this.#awaited;
      if (pattern === undefined) break;
      // A match beyond the bound is none.
      const window = rest.subarray(0, this.#plan.maxBytes - this.#received);
      const { found, used, state } = pattern.look(this.#search, window);
      this.#search = state;
      this.#keep(window.subarray(0, used));
      rest = rest.subarray(used);
      if (found === 'never') return this.#done(fault('bad-body', this.#mismatch(pattern, '')));
      if (found === 'match') {
        this.#onMatch();
        const result = this.#ifDone();
        if (result !== undefined) return { result, rest };
      } else if (rest.length > 0) return this.#done(this.#tooLarge(pattern));
    }
    return { result: undefined, rest };
  }

  /** The stream is encrypted from here on. */
  secured({ version, notAfterMs }: Secured): void {
    this.#measured.tlsVersion = version;
    if (notAfterMs !== undefined) this.#measured.certificateNotAfterMs = notAfterMs;
    const until = notAfterMs === undefined ? 'an unknown time' : new Date(notAfterMs).toISOString();
    this.#transcript?.note(`${version}, certificate ends at ${until}`);
  }

  /** The certificate does: the step that encrypts is done, or there was none. */
  onSecure(): ExchangeResult | undefined {
    if (this.wantsTls) {
      this.#step += 1;
      this.#beginStep();
    }
    return this.#ifDone();
  }

  /** The peer closed its side in order. */
  onEof(): ExchangeResult {
    const reason = this.#unmatchedBytes > 0 ? 'bad-body' : 'connection-closed';
    return this.fail(fault(reason, this.#place('closed by the server')));
  }

  /** A reply that is not the expected one is an answer, a silence is none. */
  onTimeout(): ExchangeResult {
    if (this.#unmatchedBytes === 0) return this.onAbort('response-timeout');
    return this.fail(fault('bad-body', this.#place('and no more came in time')));
  }

  /** The conversation ends for a cause outside it, for example `connection-reset`. */
  onAbort(reason: Reason): ExchangeResult {
    return this.fail(fault(reason, this.#place(reason)));
  }

  fail({ reason, message }: Fault): ExchangeResult {
    return this.#result(outcomeOf(reason), message);
  }

  get #awaited(): Pattern | undefined {
    const act = this.#plan.acts[this.#step];
    return act?.type === 'expect' ? act.pattern : undefined;
  }

  /** Does what needs no answer, up to the next step that waits for something. */
  #beginStep(): void {
    for (;;) {
      const act = this.#plan.acts[this.#step];
      if (act?.type !== 'send') break;
      this.#outgoing.push(act.bytes);
      this.#transcript?.line('>', act.bytes);
      this.#step += 1;
    }
    this.#search = this.#awaited?.begin ?? 0;
  }

  #onMatch(): void {
    this.#unmatched = Buffer.alloc(0);
    this.#unmatchedBytes = 0;
    this.#step += 1;
    this.#beginStep();
  }

  #ifDone(): ExchangeResult | undefined {
    return this.#step < this.#plan.acts.length ? undefined : this.#result({ result: 'ok' }, undefined);
  }

  #done(fault: Fault): Taken {
    return { result: this.fail(fault), rest: Buffer.alloc(0) };
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#received += bytes.length;
    this.#unmatchedBytes += bytes.length;
    const room = SHOWN_BYTES + 1 - this.#unmatched.length;
    if (room > 0) this.#unmatched = Buffer.concat([this.#unmatched, bytes.subarray(0, room)]);
    this.#transcript?.line('<', bytes);
  }

  #tooLarge({ shown }: Pattern): Fault {
    const text = `step ${this.#step + 1} expected ${shown} within ${this.#plan.maxBytes} bytes in all`;
    return fault('response-too-large', text);
  }

  #mismatch({ shown }: Pattern, end: string): string {
    const seen = escapeBytes(this.#unmatched, SHOWN_BYTES);
    return `step ${this.#step + 1} expected ${shown}, not "${seen}"${end}`;
  }

  /** What the step was waiting for when it ended, and what came instead. */
  #place(end: string): string {
    const pattern = this.#awaited;
    if (pattern === undefined) return `step ${this.#step + 1}: ${end}`;
    if (this.#unmatchedBytes > 0) return this.#mismatch(pattern, ` (${end})`);
    return `step ${this.#step + 1} expected ${pattern.shown}: ${end}`;
  }

  #result(outcome: Outcome, message: string | undefined): ExchangeResult {
    const transcript = this.#transcript;
    if (message !== undefined) transcript?.note(message);
    return {
      outcome,
      measured: this.#measured,
      warnings: [],
      ...(message === undefined ? {} : { message }),
      ...(transcript === undefined ? {} : { transcript: transcript.text }),
      reusable: false,
    };
  }
}
