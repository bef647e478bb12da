import type { Socket } from 'node:net';
import { errnoOf } from '../../../model/errors.js';
import type { Reason } from '../../../model/reasons.js';
import type { Endpoint } from '../check-schema.js';
import { reasonOfConnection } from '../errno.js';
import { fault } from '../fault.js';
import { Dial, discard } from '../stream/dial.js';
import { PlainStream, type Stream } from '../stream/stream.js';
import { TlsStream } from '../stream/tls-stream.js';
import { Transcript } from '../transcript.js';
import { type ExchangeResult, type Verdict, verdictOf } from '../verdict.js';
import { HttpExchange, type Progress } from './exchange.js';
import { Hop } from './hop.js';
import type { HttpPlan } from './plan.js';

export interface HttpRunOptions {
  readonly plan: HttpPlan;
  readonly endpoint: Endpoint;
  readonly hop: Hop;
  readonly debug: boolean;
  /** An open connection of an earlier probe of the same target. */
  readonly kept?: Stream;
  /** Called once. `stream`: the connection, if it may serve the next probe; it is the receiver's then. */
  readonly ended: (verdict: Verdict, stream: Stream | undefined) => void;
}

/** One HTTP probe: moves bytes between its connection and the conversation. Owns the connection of its current hop. */
export class HttpRun {
  readonly #options: HttpRunOptions;
  readonly #transcript: Transcript | undefined;
  #dial: Dial | undefined;
  #stream: Stream | undefined;
  #exchange: HttpExchange | undefined;
  /** The connection served an earlier probe, and nothing came on it since. */
  #mayBeStale = false;
  #over = false;

  constructor(options: HttpRunOptions) {
    this.#options = options;
    this.#transcript = options.debug ? new Transcript() : undefined;
    if (options.kept === undefined) this.#dialHop(options.hop);
    else this.#reuse(options.kept);
  }

  /** The deadline passed. */
  timeOut(): void {
    if (this.#exchange === undefined) this.#dial?.timeOut();
    else this.#abort(this.#exchange, this.#stream?.isReady === true ? 'response-timeout' : 'tls-timeout');
  }

  /** Ends it without a verdict. */
  stop(): void {
    this.#over = true;
    this.#dial?.stop();
    if (this.#stream !== undefined) discard(this.#stream.socket);
  }

  #dialHop(hop: Hop): void {
    const { endpoint } = this.#options;
    const to = 'ip' in endpoint ? { ip: endpoint.ip, port: hop.port } : endpoint;
    this.#dial = new Dial(to, {
      connected: (socket) => this.#onConnected(socket, hop),
      failed: (reason, message) => this.#finish(verdictOf(reason, message), false),
    });
  }

  #onConnected(socket: Socket, hop: Hop): void {
    this.#dial = undefined;
    const { plan, endpoint } = this.#options;
    this.#exchange = new HttpExchange(plan, hop, this.#transcript);
    const isTcp = 'ip' in endpoint;
    if ('hybrid' in endpoint)
      this.#transcript?.note(`connected to port ${endpoint.port} of the guest by its hypervisor`);
    const { serverName = '' } = hop;
    const { tlsClient: client, certificateExpiresWithinDays } = plan;
    this.#stream = hop.tls
      ? new TlsStream(socket, isTcp, { client, serverName, certificateExpiresWithinDays })
      : new PlainStream(socket, isTcp);
    this.#talk(this.#exchange, this.#stream);
  }

  #reuse(stream: Stream): void {
    const { plan, hop } = this.#options;
    this.#mayBeStale = true;
    this.#exchange = new HttpExchange(plan, hop, this.#transcript);
    this.#stream = stream;
    this.#talk(this.#exchange, stream);
  }

  #talk(exchange: HttpExchange, stream: Stream): void {
    stream.listen({
      secured: (tls) => exchange.secured(tls),
      ready: () => stream.write(exchange.request()),
      bytes: (bytes) => {
        this.#mayBeStale = false;
        this.#proceed(exchange.onBytes(bytes));
      },
      eof: () => {
        if (!this.#startAfresh()) this.#end(exchange.onEof());
      },
      error: (error) => {
        if (!this.#startAfresh()) this.#abort(exchange, reasonOfConnection(errnoOf(error)));
      },
      fault: (fault) => this.#end(exchange.fail(fault)),
    });
  }

  #proceed(progress: Progress): void {
    if (progress === undefined) return;
    if (!(progress instanceof Hop)) {
      this.#end(progress);
      return;
    }
    this.#leaveStream();
    this.#dialHop(progress);
  }

  /** A kept connection had died: a fresh one decides, with what is left of the time. */
  #startAfresh(): boolean {
    if (!this.#mayBeStale) return false;
    this.#mayBeStale = false;
    this.#leaveStream();
    this.#dialHop(this.#options.hop);
    return true;
  }

  #abort(exchange: HttpExchange, reason: Reason): void {
    const isSpeaking = this.#stream?.isReady === true;
    this.#end(
      isSpeaking
        ? exchange.onAbort(reason)
        : exchange.fail(fault(reason, `${reason} within the TLS handshake`)),
    );
  }

  #leaveStream(): void {
    if (this.#stream !== undefined) {
      this.#stream.listen(undefined);
      discard(this.#stream.socket);
    }
    this.#stream = undefined;
    this.#exchange = undefined;
  }

  #end(exchange: ExchangeResult): void {
    this.#finish({ outcome: exchange.outcome, exchange }, exchange.reusable);
  }

  #finish(verdict: Verdict, isReusable: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#dial?.stop();
    const stream = this.#stream;
    stream?.listen(undefined);
    if (stream !== undefined && !isReusable) discard(stream.socket);
    this.#options.ended(verdict, isReusable ? stream : undefined);
  }
}
