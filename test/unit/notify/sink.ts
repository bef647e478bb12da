import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
  readonly text: string;
}

/** How a sink answers: a status, with headers; `reset`: it breaks the connection off; `silent`: never. */
export type Answer =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | 'reset'
  | 'silent';

/** A real HTTP server that keeps what it is sent and answers as it is told. */
export class Sink {
  readonly received: Received[] = [];
  answer: (received: Received) => Answer = () => ({ status: 200 });
  readonly #server: Server;

  private constructor(tls: { key: string; cert: string } | undefined) {
    this.#server = tls === undefined ? createServer() : createTlsServer(tls);
    this.#server.on('request', (request, response) => {
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => {
        text += part;
      });
      request.on('end', () => {
        const received = { headers: request.headers, url: request.url ?? '', text };
        this.received.push(received);
        const answer = this.answer(received);
        if (answer === 'silent') return;
        if (answer === 'reset') request.socket.resetAndDestroy();
        else response.writeHead(answer.status, answer.headers).end('what the receiver says');
      });
    });
  }

  static async open(tls?: { key: string; cert: string }): Promise<Sink> {
    const sink = new Sink(tls);
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    onTestFinished(() => {
      sink.#server.closeAllConnections();
      sink.#server.close();
    });
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get bodies(): unknown[] {
    return this.received.map(({ text }) => JSON.parse(text));
  }
}
