import { createServer, type Server, type Socket } from 'node:net';

/** Clients that the HTTP server of both VMMs serves at once; one more is told so and left. */
const MAX_CLIENTS = 10;
/** Largest body that it takes, bytes. */
const MAX_BODY_BYTES = 51_200;
const FULL =
  'HTTP/1.1 503\r\nServer: Firecracker API\r\nConnection: close\r\nContent-Length: 40\r\n\r\n{ "error": "Too many open connections" }';
export interface RestRequest {
  readonly method: string;
  readonly path: string;
  /** Undefined where there is none, or an empty one. */
  readonly body: string | undefined;
}

/** `body`: JSON; without it the response has none. */
export interface RestResponse {
  readonly status: number;
  readonly body?: unknown;
}

/** What the VMM does with a request. `exit`: it ends without an answer; `freeze`: nothing is answered any more. */
export type RestHandler = (
  request: RestRequest,
) => RestResponse | 'exit' | 'freeze' | Promise<RestResponse | 'exit' | 'freeze'>;

/** What goes wrong with an answer. `drop`, `drop-done`: the connection ends before it, the request not done or done. */
export type RestFault =
  | 'hang'
  | 'half'
  | 'garbage'
  | 'flood'
  | 'drop'
  | 'drop-done'
  | 'drip'
  | 'not-json'
  | 'too-many';

interface Injection {
  readonly fault: RestFault;
  readonly matches: (request: RestRequest) => boolean;
  left: number;
}

/**
 * The HTTP server of Cloud Hypervisor and Firecracker: keep-alive, few clients, one request at a time whatever the
 * connection, so that one request that hangs freezes the API for all.
 */
export class RestServer {
  readonly path: string;
  /** Every request, in the order it was taken. */
  readonly requests: RestRequest[] = [];
  /** Connections that were made so far. */
  accepted = 0;
  readonly #serverName: string;
  readonly #handler: RestHandler;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #injections: Injection[] = [];
  #frozen: Promise<void> = Promise.resolve();
  #thaw: () => void = () => {};
  /** The request that is being worked on. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, serverName: string, handler: RestHandler) {
    this.path = path;
    this.#serverName = serverName;
    this.#handler = handler;
    this.#server = createServer((socket) => this.#onClient(socket));
  }

  static async listen(path: string, serverName: string, handler: RestHandler): Promise<RestServer> {
    const server = new RestServer(path, serverName, handler);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject).listen(path, resolve);
    });
    return server;
  }

  /** Lets a fault happen to the next `times` requests (default one) that match (default any). */
  inject(
    fault: RestFault,
    options: { readonly times?: number; readonly matches?: (request: RestRequest) => boolean } = {},
  ): void {
    this.#injections.push({ fault, matches: options.matches ?? (() => true), left: options.times ?? 1 });
  }

  /** As SIGSTOP: clients connect, and nothing is read. */
  freeze(): void {
    this.#frozen = new Promise((resolve) => {
      this.#thaw = resolve;
    });
    for (const client of this.#clients) client.pause();
  }

  thaw(): void {
    this.#thaw();
    for (const client of this.#clients) client.resume();
    this.#frozen = Promise.resolve();
  }

  /** The process ends: every connection closes. Idempotent. */
  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.destroy();
    this.#thaw();
  }

  #onClient(socket: Socket): void {
    this.accepted += 1;
    socket.on('error', () => {}).on('close', () => this.#clients.delete(socket));
    if (this.#clients.size >= MAX_CLIENTS) {
      socket.end(FULL);
      return;
    }
    this.#clients.add(socket);
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      for (;;) {
        const found = parse(received);
        if (found === undefined) return;
        if ('wrong' in found) {
          // As the original writes it, with a line feed that JSON does not allow. The connection stays.
          const text = `{ "error": "${found.wrong}\nAll previous unanswered requests will be dropped." }`;
          socket.write(this.#encode(400, text));
          received = Buffer.alloc(0);
          return;
        }
        received = received.subarray(found.bytes);
        this.#turn = this.#turn.then(() => this.#serve(socket, found.request));
      }
    });
  }

  async #serve(socket: Socket, request: RestRequest): Promise<void> {
    await this.#frozen;
    if (socket.destroyed) return;
    this.requests.push(request);
    const fault = this.#takeFault(request);
    if (fault === 'drop') {
      socket.end();
      return;
    }
    if (fault === 'too-many') {
      socket.end(FULL);
      return;
    }
    const response = await this.#handler(request);
    if (response === 'exit') this.close();
    else if (response === 'freeze') this.freeze();
    else {
      const { status, body } = response;
      const answer = this.#encode(status, body === undefined ? undefined : JSON.stringify(body));
      if (fault === undefined) socket.write(answer);
      else misbehave(socket, fault, answer);
    }
    if (fault === 'hang') this.freeze();
  }

  #takeFault(request: RestRequest): RestFault | undefined {
    const found = this.#injections.find(({ matches }) => matches(request));
    if (found === undefined) return undefined;
    found.left -= 1;
    this.#injections = this.#injections.filter(({ left }) => left > 0);
    return found.fault;
  }

  /** It writes no reason phrase. */
  #encode(status: number, body: string | undefined): Buffer {
    const describes = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body ?? '')}\r\n`;
    const head = `HTTP/1.1 ${status} \r\nServer: ${this.#serverName}\r\nConnection: keep-alive\r\n`;
    return Buffer.from(`${head}${body === undefined ? '' : describes}\r\n${body ?? ''}`);
  }
}

function misbehave(socket: Socket, fault: RestFault, answer: Buffer): void {
  switch (fault) {
    case 'half':
      socket.write(answer.subarray(0, answer.length / 2));
      return;
    case 'garbage':
      socket.write('SSH-2.0-OpenSSH_9.2\r\n');
      return;
    case 'not-json':
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      return;
    case 'drop-done':
      socket.end();
      return;
    case 'drip':
      drip(socket, answer);
      return;
    case 'flood':
      flood(socket);
      return;
    default:
      // `hang`: nothing is said.
      return;
  }
}

/** A byte every few milliseconds, without end: the last one never comes. */
function drip(socket: Socket, answer: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < answer.length - 1) socket.write(answer.subarray(at, at + 1));
    at += 1;
  }, 20);
  socket.once('close', () => clearInterval(timer));
}

/** A body without end, as fast as it is read. */
function flood(socket: Socket): void {
  const piece = Buffer.alloc(64 * 1024, 'x');
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const more = (): void => {
    while (!socket.destroyed && socket.write(`10000\r\n${piece.toString('latin1')}\r\n`));
  };
  socket.on('drain', more);
  more();
}

/** The first request of a stream; undefined: it is not there yet. */
function parse(
  received: Buffer,
): { readonly request: RestRequest; readonly bytes: number } | { readonly wrong: string } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...headers] = received.toString('latin1', 0, end).split('\r\n');
  const [method = '', path = '', version = ''] = first.split(' ');
  if (!['GET', 'PUT', 'PATCH'].includes(method))
    return { wrong: 'Invalid HTTP Method: Unsupported HTTP method.' };
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    return { wrong: 'Invalid HTTP Version: Unsupported HTTP version.' };
  }
  const header = headers.map((line) => /^content-length: *(\d+)$/i.exec(line)?.[1]).find(Boolean);
  const length = Number(header ?? 0);
  if (length > MAX_BODY_BYTES) {
    return {
      wrong: `Request payload with size ${length} is larger than the limit of ${MAX_BODY_BYTES} allowed by server.`,
    };
  }
  const bytes = end + 4 + length;
  if (received.length < bytes) return undefined;
  const body = received.toString('utf8', end + 4, bytes);
  return { request: { method, path, body: body === '' ? undefined : body }, bytes };
}
