import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { errnoOf } from '../../../model/errors.js';
import { wallMs } from '../clock.js';
import { fault } from '../fault.js';
import { escapeText } from '../text.js';
import { endedByReset, resetError, type Secured, type Stream, type StreamEvents } from './stream.js';
import { checkExpiry, notAfterMs, type TlsClient } from './tls-client.js';

/** Characters of a library error that are shown; a certificate's names appear in some. */
const MAX_TEXT = 256;

/** How a connection is encrypted. */
export interface TlsSetup {
  readonly client: TlsClient;
  /** Name or address that the certificate must be for; names are asked for by SNI. */
  readonly serverName: string;
  /** Fails when less of the certificate's life is left, verified or not. */
  readonly certificateExpiresWithinDays: number | undefined;
}

/** An encrypted connection. No session resumption, no client certificate, no ALPN. */
export class TlsStream implements Stream {
  readonly socket: Socket;
  isSpoilt = false;
  readonly #tls: TLSSocket;
  readonly #setup: TlsSetup;
  /** Bytes that came before the handshake. */
  readonly #readBefore: number;
  #isReset = false;
  /** Set once the handshake is complete. */
  #secured: Secured | undefined;
  #events: StreamEvents | undefined;

  /** `socket`: may have bytes that were put back, which are the handshake's. */
  constructor(socket: Socket, isTcp: boolean, setup: TlsSetup) {
    this.socket = socket;
    this.#setup = setup;
    this.#readBefore = socket.bytesRead - socket.readableLength;
    const name = setup.serverName;
    this.#tls = connect({
      socket,
      secureContext: setup.client.context,
      // Judged by our client, so that every outcome has its reason.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(isIP(name) === 0 ? { servername: name } : {}),
    });
    socket.on('error', () => {});
    // Before Node's own listener, which would close the socket first.
    this.#tls.prependListener('end', () => {
      this.#isReset = isTcp && endedByReset(socket);
    });
    this.#tls.on('secureConnect', () => this.#onHandshake());
    this.#tls.on('data', (bytes: Buffer) => this.#tell((events) => events.bytes(bytes)));
    this.#tls.on('end', () => this.#tell((events) => this.#onEnd(events)));
    this.#tls.on('error', (error) => this.#tell((events) => this.#onError(events, error)));
  }

  get isReady(): boolean {
    return this.#secured !== undefined;
  }

  write(bytes: Buffer, written?: () => void): void {
    this.#tls.write(bytes, written);
  }

  listen(events: StreamEvents | undefined): void {
    this.#events = events;
    if (this.#secured === undefined) return;
    events?.secured(this.#secured);
    events?.ready();
  }

  #onHandshake(): void {
    const events = this.#events;
    if (events === undefined) return;
    const { client, serverName, certificateExpiresWithinDays: days } = this.#setup;
    // Node hands it out once only.
    const certificate = this.#tls.getPeerX509Certificate();
    const failure = this.#tls.authorized ? undefined : String(this.#tls.authorizationError);
    const wrong = client.check(certificate, serverName, failure, wallMs());
    if (wrong !== undefined) {
      events.fault(wrong);
      return;
    }
    const secured = { version: this.#tls.getProtocol() ?? 'TLS', notAfterMs: notAfterMs(certificate) };
    this.#secured = secured;
    events.secured(secured);
    const expiry = days === undefined ? undefined : checkExpiry(secured.notAfterMs, days, wallMs());
    if (expiry === undefined) events.ready();
    else events.fault(expiry);
  }

  #onEnd(events: StreamEvents): void {
    if (this.#isReset) events.error(resetError());
    else if (this.#secured !== undefined) events.eof();
    else if (this.socket.bytesRead > this.#readBefore) {
      events.fault(fault('handshake-failed', 'closed by the server within the TLS handshake'));
    } else {
      events.fault(fault('connection-closed', 'closed by the server before any byte of the TLS handshake'));
    }
  }

  #onError(events: StreamEvents, error: Error): void {
    const code = errnoOf(error);
    const text = `TLS: ${escapeText(error.message, MAX_TEXT)}`;
    // Servers of TLS 1.3 refuse a client only after it has finished.
    const isHandshake = this.#secured === undefined || /alert/i.test(`${code} ${error.message}`);
    if ('syscall' in error) events.error(error);
    else if (code === 'ECONNRESET') this.#onEnd(events);
    else events.fault(fault(isHandshake ? 'handshake-failed' : 'protocol-error', text));
  }

  #tell(tell: (events: StreamEvents) => void): void {
    if (this.#events === undefined) this.isSpoilt = true;
    else tell(this.#events);
  }
}
