import { createServer, type Server, type Socket } from 'node:net';

/**
 * What goes wrong between the connection and its `OK`. `silent`: it never comes; `half`: only its beginning;
 * `half-then-end`: and the connection ends; `wrong`: another line; `flood`: bytes without a line's end; `end`: the
 * connection ends instead; `busy`: it is taken and nothing is read, as while the guest is paused.
 */
export const VSOCK_FAULTS = ['silent', 'half', 'half-then-end', 'wrong', 'flood', 'end', 'busy'] as const;
export type VsockFault = (typeof VSOCK_FAULTS)[number];

/** What listens on a port of the guest. */
export type GuestPort = (socket: Socket) => void;

/**
 * The socket through which Cloud Hypervisor and Firecracker let the host reach vsock ports of the guest: a request line
 * `CONNECT <port>\n` that must come in one piece, `OK <host port>\n`, then the stream. A refused port, or a guest that is
 * not ready, is a connection that closes without a word.
 */
export class FakeHybridVsock {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ports = new Map<number, GuestPort>();
  /** Of every connection from now on. */
  fault: VsockFault | undefined;
  #nextHostPort = 1_073_741_824;

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#onClient(socket));
  }

  static async listen(path: string): Promise<FakeHybridVsock> {
    const fake = new FakeHybridVsock(path);
    await new Promise<void>((resolve, reject) => {
      fake.#server.once('error', reject).listen(path, resolve);
    });
    return fake;
  }

  /** Something listens on a port of the guest. */
  serve(port: number, handler: GuestPort): void {
    this.#ports.set(port, handler);
  }

  /** Ends what stands, as when the guest reboots. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.disconnect();
  }

  #onClient(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
    if (this.fault === 'busy') return;
    socket.once('data', (bytes: Buffer) => {
      // Only what came with one read is looked at, and nothing may come before the answer.
      const [, port] = /^CONNECT (\d{1,10})\n$/.exec(bytes.toString('latin1')) ?? [];
      if (port === undefined) socket.destroy();
      else if (this.fault === undefined) this.#connect(socket, Number(port));
      else misbehave(socket, this.fault);
    });
  }

  #connect(socket: Socket, port: number): void {
    const handler = this.#ports.get(port);
    if (handler === undefined) {
      socket.destroy();
      return;
    }
    socket.write(`OK ${this.#nextHostPort++}\n`);
    handler(socket);
  }
}

function misbehave(socket: Socket, fault: VsockFault): void {
  switch (fault) {
    case 'half':
      socket.write('OK 10737');
      return;
    case 'half-then-end':
      socket.end('OK 10737');
      return;
    case 'wrong':
      socket.write('NO 52\n');
      return;
    case 'flood':
      socket.write('O'.repeat(1024 * 1024));
      return;
    case 'end':
      socket.end();
      return;
    case 'silent':
    case 'busy':
      return;
  }
}
