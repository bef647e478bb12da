import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { errnoOf } from '../../../model/errors.js';
import { monoMs } from '../clock.js';
import { reasonOfUnixCall } from '../errno.js';
import type { Timer, Timers } from '../timers.js';
import type { Connection, Down, LinkEvents } from './link.js';
import type { Session, SessionMessage } from './session.js';

/** How often a plain file is looked at: it cannot be waited for. */
const POLL_MS = 100;
const READS_A_LOOK = 4;
const READ_BYTES = 64 * 1024;

interface PlainFile {
  readonly fd: number;
  readonly identity: string;
  /** Bytes that were read or left out. */
  position: number;
}

/** The file or fifo that a VMM writes its events to. Owns the descriptor until it is down or left. */
export class EventSource implements Connection {
  readonly session: Session;
  busy = false;
  readonly #path: string;
  readonly #timers: Timers;
  readonly #events: LinkEvents;
  #file: PlainFile | undefined;
  #fifo: Socket | undefined;
  #timer: Timer | undefined;
  #over = false;

  /** `atEnd`: what a file holds is left out, because it is history. */
  constructor(path: string, session: Session, atEnd: boolean, timers: Timers, events: LinkEvents) {
    this.session = session;
    this.#path = path;
    this.#timers = timers;
    this.#events = events;
    try {
      this.#open(atEnd);
    } catch (error) {
      const down = {
        reason: reasonOfUnixCall(errnoOf(error)),
        detail: error instanceof Error ? error.message : 'it cannot be opened',
      };
      queueMicrotask(() => this.#end(down));
    }
  }

  get wasOpen(): boolean {
    return true;
  }

  flush(): void {}

  leave(): void {
    this.#over = true;
    if (this.#timer !== undefined) this.#timers.cancel(this.#timer);
    this.#fifo?.destroy();
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #open(atEnd: boolean): void {
    const stat = statSync(this.#path);
    const tell = (): void => {
      if (!this.#over) this.#events.connected();
    };
    if (stat.isFIFO()) {
      // A writer of our own: without it the fifo would be at its end whenever the VMM is not there.
      const fd = openSync(this.#path, constants.O_RDWR | constants.O_NONBLOCK);
      this.#fifo = new Socket({ fd, readable: true, writable: false });
      this.#fifo.on('data', (bytes: Buffer) => this.#receive(bytes));
      this.#fifo.on('error', (error) => this.#end({ reason: 'connection-reset', detail: error.message }));
      this.#fifo.unref();
    } else if (stat.isFile()) {
      const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      const opened = fstatSync(fd);
      this.#file = { fd, identity: identity(opened), position: atEnd ? opened.size : 0 };
      this.#arm();
    } else {
      queueMicrotask(() =>
        this.#end({ reason: 'connection-refused', detail: 'it is neither a file nor a fifo' }),
      );
      return;
    }
    queueMicrotask(tell);
  }

  #arm(): void {
    this.#timer = this.#timers.arm(monoMs() + POLL_MS, () => this.#look());
  }

  #look(): void {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let reads = 0; reads < READS_A_LOOK && this.#file !== undefined; reads += 1) {
      const count = this.#read(buffer, this.#file);
      if (count === undefined) return;
      if (count === 0) break;
      this.#receive(buffer.subarray(0, count));
    }
    if (!this.#over) this.#arm();
  }

  /** Bytes read; undefined: the file is not what the path leads to any more. */
  #read(buffer: Buffer, file: PlainFile): number | undefined {
    try {
      const count = readSync(file.fd, buffer, 0, buffer.length, file.position);
      file.position += count;
      const now = count === 0 ? statSync(this.#path) : undefined;
      if (now === undefined || (identity(now) === file.identity && now.size >= file.position)) return count;
      this.#end({ reason: 'connection-closed', detail: 'another file took its place' });
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'it cannot be read';
      this.#end({ reason: 'connection-closed', detail });
    }
    return undefined;
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    const messages: SessionMessage[] = [];
    this.session.onBytes(bytes, messages);
    for (const message of messages) {
      if (!this.#over) this.#events.message(message);
    }
  }

  #end(down: Down): void {
    if (this.#over) return;
    this.leave();
    this.#events.down(down);
  }
}

function identity({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}
