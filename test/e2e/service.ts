import { createServer, type Server } from 'node:net';

/** What the probes of the VMs ask, in place of a guest. */
export class Service {
  #server: Server | undefined;
  port = 0;

  async open(): Promise<void> {
    const server = createServer((socket) => socket.destroy());
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    const address = server.address();
    this.port = typeof address === 'object' && address ? address.port : 0;
  }

  close(): Promise<void> {
    return new Promise((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }
}
