import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

const CONNECT_DEADLINE_MS = 5_000;

/**
 * The lines of a Unix socket, as QMP and the guest agent send them. Deliberately small and apart from the
 * product's own channels: the tests look at VMs through eyes of their own.
 */
export class LineClient {
  readonly #socket: Socket;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #rest = '';
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const parts = (this.#rest + text).split('\n');
      this.#rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Connects; a VMM opens its sockets within milliseconds of its start. */
  static async connect(path: string): Promise<LineClient> {
    const socket = createConnection(path);
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_DEADLINE_MS) });
    return new LineClient(socket);
  }

  /** True once the other side has ended the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends bytes; latin1, so that 0xFF stays one byte. */
  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** The next line. @throws if none arrives before the deadline, or the connection ends */
  async next(deadlineMs: number): Promise<string> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#closed) throw new Error('the connection has ended');
      if (!(await this.#changed(until - Date.now()))) throw new Error(`no line within ${deadlineMs} ms`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #changed(waitMs: number): Promise<boolean> {
    if (waitMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (value: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(value);
      };
      const wake = (): void => finish(true);
      const timer = setTimeout(() => finish(false), waitMs);
      this.#waiting.add(wake);
    });
  }
}
