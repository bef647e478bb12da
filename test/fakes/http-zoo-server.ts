import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A running animal of the zoo. */
export interface ZooServer {
  readonly port: number;
  /** Ends every connection and the server; idempotent. */
  close(): Promise<void>;
}

/** Starts listening on 127.0.0.1 and owns every connection until close(). */
export async function listen(server: Server): Promise<ZooServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen({ host: '127.0.0.1', port: 0, backlog: 511 });
  await once(server, 'listening');
  let closed: Promise<void> | undefined;
  return {
    port: portOf(server),
    close: () => {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closed;
    },
  };
}

/** The port of a listening server. */
export function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server is not listening on TCP');
  return address.port;
}

/** A plain TCP server. Connections may be half-closed; errors of the peer are its own affair. */
export function tcp(onConnection: (socket: Socket) => void): Promise<ZooServer> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  return listen(server);
}

/** Calls back once a whole request head has come, and keeps on reading so that no close turns into a reset. */
export function afterRequest(socket: Socket, answer: (head: string) => void): void {
  let head = '';
  let answered = false;
  socket.on('data', (chunk: Buffer) => {
    if (answered) return;
    head += chunk.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    answered = true;
    answer(head);
  });
}

/** Sends text once the request is there, then closes in order. */
export function says(text: string): () => Promise<ZooServer> {
  return () => tcp((socket) => afterRequest(socket, () => socket.end(text, 'latin1')));
}

/** Sends text once the request is there, then stays open and silent. */
export function saysAndStays(text: string): () => Promise<ZooServer> {
  return () => tcp((socket) => afterRequest(socket, () => socket.write(text, 'latin1')));
}

/** Sends text once the request is there, then resets the connection. */
export function saysAndResets(text: string): () => Promise<ZooServer> {
  return () =>
    tcp((socket) => afterRequest(socket, () => socket.write(text, 'latin1', () => socket.resetAndDestroy())));
}

/** Sends one byte every few milliseconds, the last one over and over. */
export function drips(text: string, everyMs = 10): () => Promise<ZooServer> {
  return () =>
    tcp((socket) =>
      afterRequest(socket, () => {
        let next = 0;
        const timer = setInterval(() => {
          socket.write(text.charAt(Math.min(next, text.length - 1)), 'latin1');
          next += 1;
        }, everyMs);
        socket.on('close', () => clearInterval(timer));
      }),
    );
}

/** Sends text a byte a segment, then closes in order. */
export function spells(text: string): () => Promise<ZooServer> {
  return () =>
    tcp((socket) =>
      afterRequest(socket, () => {
        const speak = (next: number): void => {
          if (socket.destroyed) return;
          if (next === text.length) socket.end();
          else socket.write(text.charAt(next), 'latin1', () => setImmediate(speak, next + 1));
        };
        speak(0);
      }),
    );
}

/** Sends text, then a block over and over, as fast as it is read, up to a number of blocks. */
export function floods(
  text: string,
  block: string,
  blocks = Number.POSITIVE_INFINITY,
): () => Promise<ZooServer> {
  const bytes = Buffer.from(block, 'latin1');
  return () =>
    tcp((socket) =>
      afterRequest(socket, () => {
        let left = blocks;
        const pour = (): void => {
          while (left > 0 && !socket.destroyed) {
            left -= 1;
            if (!socket.write(bytes)) {
              socket.once('drain', pour);
              return;
            }
          }
          if (!socket.destroyed) socket.end();
        };
        socket.write(text, 'latin1');
        pour();
      }),
    );
}

/** Answers each request by what its head says. */
export function answers(answer: (head: string, port: number) => string): () => Promise<ZooServer> {
  return async () => {
    let port = 0;
    const server = await tcp((socket) =>
      afterRequest(socket, (head) => socket.end(answer(head, port), 'latin1')),
    );
    port = server.port;
    return server;
  };
}

/** Two servers that know each other's ports, closed together; the probe is aimed at the first. */
export async function pair(
  first: (secondPort: number) => Promise<ZooServer>,
  second: () => Promise<ZooServer>,
): Promise<ZooServer> {
  const target = await second();
  const server = await first(target.port);
  return {
    port: server.port,
    close: async () => {
      await Promise.all([server.close(), target.close()]);
    },
  };
}

/** A port that refuses: the local end of a connection, so nobody else is given it while the case runs. */
export async function refuses(): Promise<ZooServer> {
  const server = createServer();
  const holder = await listen(server);
  const socket = connect({ host: '127.0.0.1', port: holder.port });
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  const { localPort } = socket;
  if (localPort === undefined) throw new Error('the connection has no local port');
  return {
    port: localPort,
    close: async () => {
      socket.destroy();
      await holder.close();
    },
  };
}
