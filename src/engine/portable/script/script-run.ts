import type { Socket } from 'node:net';
import { errnoOf } from '../../../model/errors.js';
import type { Reason } from '../../../model/reasons.js';
import type { Endpoint } from '../check-schema.js';
import { reasonOfConnection } from '../errno.js';
import { fault } from '../fault.js';
import { Dial, discard } from '../stream/dial.js';
import { PlainStream, type Stream, type StreamEvents } from '../stream/stream.js';
import { TlsStream } from '../stream/tls-stream.js';
import { Transcript } from '../transcript.js';
import { type ExchangeResult, type Verdict, verdictOf } from '../verdict.js';
import { ScriptExchange } from './exchange.js';
import type { ScriptPlan } from './plan.js';

/** What a record of TLS begins with here. A single other byte shows that it is none, and OpenSSL would wait for more. */
const HANDSHAKE = 22;

export interface ScriptRunOptions {
  readonly plan: ScriptPlan;
  readonly endpoint: Endpoint;
  /** Name or address that TLS asks for where the plan has none. */
  readonly host: string;
  readonly debug: boolean;
  /** Called once. */
  readonly ended: (verdict: Verdict) => void;
}

/** One scripted conversation: moves bytes between its connection, TLS once it has begun, and the script. */
export class ScriptRun {
  readonly #options: ScriptRunOptions;
  readonly #exchange: ScriptExchange;
  readonly #transcript: Transcript | undefined;
  readonly #dial: Dial;
  #stream: Stream | undefined;
  /** Writes that the kernel has not taken. */
  #unsent = 0;
  /** To be done once it has. */
  #afterSent: () => void = () => {};
  #over = false;

  constructor(options: ScriptRunOptions) {
    this.#options = options;
    this.#transcript = options.debug ? new Transcript() : undefined;
    this.#exchange = new ScriptExchange(options.plan, this.#transcript);
    this.#dial = new Dial(options.endpoint, {
      connected: (socket) => this.#onConnected(socket),
      failed: (reason, message) => this.#finish(verdictOf(reason, message)),
    });
  }

  /** The deadline passed. */
  timeOut(): void {
    if (this.#stream === undefined) this.#dial.timeOut();
    else if (this.#stream.isReady) this.#end(this.#exchange.onTimeout());
    else this.#failHandshake('tls-timeout');
  }

  /** Ends it without a verdict. */
  stop(): void {
    this.#over = true;
    this.#dial.stop();
    if (this.#stream !== undefined) discard(this.#stream.socket);
  }

  get #isTcp(): boolean {
    return 'ip' in this.#options.endpoint;
  }

  #onConnected(socket: Socket): void {
    const { plan, endpoint } = this.#options;
    if ('hybrid' in endpoint)
      this.#transcript?.note(`connected to port ${endpoint.port} of the guest by its hypervisor`);
    if (plan.tls?.isFirst === true) this.#encrypt(socket);
    else this.#talk(new PlainStream(socket, this.#isTcp));
  }

  /** Speaks over a plain stream, until the script comes to TLS. */
  #talk(plain: PlainStream): void {
    this.#stream = plain;
    plain.listen({
      ...this.#ends(),
      secured: () => {},
      ready: () => this.#proceed(plain, Buffer.alloc(0)),
      bytes: (bytes) => {
        const { result, rest } = this.#exchange.take(bytes);
        if (result === undefined) this.#proceed(plain, rest);
        else this.#end(result);
      },
    });
  }

  #proceed(plain: PlainStream, rest: Buffer): void {
    this.#send(plain);
    if (!this.#exchange.wantsTls) return;
    // Nothing that was slipped in before the encryption is ever taken for a reply within it.
    if (rest.length > 0 && rest[0] !== HANDSHAKE) {
      const text = 'what came before the TLS handshake is none';
      this.#end(this.#exchange.fail(fault('handshake-failed', text)));
      return;
    }
    plain.leave(rest);
    this.#afterSent = () => {
      this.#afterSent = () => {};
      plain.listen(undefined);
      this.#encrypt(plain.socket);
    };
    if (this.#unsent === 0) this.#afterSent();
  }

  #encrypt(socket: Socket): void {
    const { plan, host } = this.#options;
    if (this.#over || plan.tls === undefined) return;
    const { client, serverName = host, certificateExpiresWithinDays } = plan.tls;
    const tls = new TlsStream(socket, this.#isTcp, { client, serverName, certificateExpiresWithinDays });
    this.#stream = tls;
    tls.listen({
      ...this.#ends(),
      secured: (secured) => this.#exchange.secured(secured),
      ready: () => this.#endOrSend(tls, this.#exchange.onSecure()),
      bytes: (bytes) => this.#endOrSend(tls, this.#exchange.take(bytes).result),
    });
  }

  #endOrSend(tls: TlsStream, result: ExchangeResult | undefined): void {
    if (result === undefined) this.#send(tls);
    else this.#end(result);
  }

  #send(stream: Stream): void {
    const bytes = this.#exchange.pull();
    if (bytes.length === 0) return;
    this.#unsent += 1;
    stream.write(bytes, () => {
      this.#unsent -= 1;
      if (this.#unsent === 0) this.#afterSent();
    });
  }

  /** How a stream ends, encrypted or not. */
  #ends(): Pick<StreamEvents, 'eof' | 'error' | 'fault'> {
    return {
      eof: () => this.#end(this.#exchange.onEof()),
      error: (error) => {
        const reason = reasonOfConnection(errnoOf(error));
        if (this.#stream?.isReady === true) this.#end(this.#exchange.onAbort(reason));
        else this.#failHandshake(reason);
      },
      fault: (found) => this.#end(this.#exchange.fail(found)),
    };
  }

  #failHandshake(reason: Reason): void {
    this.#end(this.#exchange.fail(fault(reason, `${reason} within the TLS handshake`)));
  }

  #end(exchange: ExchangeResult): void {
    this.#finish({ outcome: exchange.outcome, exchange });
  }

  #finish(verdict: Verdict): void {
    if (this.#over) return;
    this.stop();
    this.#stream?.listen(undefined);
    this.#options.ended(verdict);
  }
}
