import { constants } from 'node:os';
import { VmpulseError } from '../model/errors.js';
import { nativeKernel } from './loader.js';
import { callNative } from './native-errors.js';
import type { NativePidfd } from './native-kernel.js';

/**
 * Owner of a pidfd: it stays the process it was opened for, whatever happens to the PID. Closed by `close()`, by
 * `using`, at the end of its thread, or once garbage collected.
 */
export class Pidfd {
  readonly pid: number;
  readonly #native: NativePidfd;

  /** Opens the process that has this PID now. Throws ERR_VMPULSE_SYSCALL with `errno` ESRCH when there is none. */
  constructor(pid: number) {
    this.#native = callNative(() => new (nativeKernel().Pidfd)(pid));
    this.pid = pid;
  }

  /**
   * The descriptor (close-on-exec, readable once the process ended), on loan: duplicate it to keep it, never close
   * it. Throws ERR_VMPULSE_CLOSED.
   */
  get fd(): number {
    return callNative(() => this.#native.fd);
  }

  get closed(): boolean {
    return this.#native.closed;
  }

  /**
   * Sends a signal, by name or number; 0 only asks whether the process exists. Throws ERR_VMPULSE_SYSCALL with
   * `errno` ESRCH once it was reaped or EPERM, ERR_VMPULSE_ARGUMENT for no signal of this host, ERR_VMPULSE_CLOSED.
   */
  signal(signal: NodeJS.Signals | number): void {
    const number = typeof signal === 'number' ? signal : constants.signals[signal];
    if (number === undefined) {
      throw new VmpulseError('ERR_VMPULSE_ARGUMENT', `${signal} is not a signal of this host`);
    }
    callNative(() => this.#native.signal(number));
  }

  /** Idempotent. The process runs on. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
