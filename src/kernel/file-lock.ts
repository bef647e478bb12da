import { VmpulseError } from '../model/errors.js';
import { nativeKernel } from './loader.js';
import { callNative, isSyscallError } from './native-errors.js';
import type { NativeFileLock } from './native-kernel.js';

/**
 * An exclusive flock, held until `close()`, the end of `using`, of its thread or of this process. The file is created
 * where missing and never removed, as two processes could else hold "the" lock on two files of one name.
 */
export class FileLock {
  readonly path: string;
  readonly #native: NativeFileLock;

  /**
   * Takes the lock without waiting. Throws ERR_VMPULSE_LOCKED when another holder has it (in this process too), and
   * ERR_VMPULSE_SYSCALL when the file cannot be opened: `errno` ENOENT, EACCES, EISDIR, ELOOP for a symbolic link …
   */
  constructor(path: string) {
    this.path = path;
    try {
      this.#native = callNative(() => new (nativeKernel().FileLock)(path));
    } catch (error) {
      if (!isSyscallError(error, 'EAGAIN')) throw error;
      throw new VmpulseError('ERR_VMPULSE_LOCKED', `${path} is locked by another process`, {
        cause: error,
        details: { path },
      });
    }
  }

  get closed(): boolean {
    return this.#native.closed;
  }

  /** Releases the lock. Idempotent. */
  close(): void {
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
