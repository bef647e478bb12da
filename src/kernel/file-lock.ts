import { rmSync } from 'node:fs';
import { VmpulseError } from '../model/errors.js';
import { nativeKernel } from './loader.js';
import { callNative, isSyscallError } from './native-errors.js';
import type { NativeFileLock } from './native-kernel.js';

/**
 * An exclusive flock, held until `close()`, the end of `using`, of its thread or of this process. The file is created
 * where missing.
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

  /** Releases the lock; the file stays. Idempotent. */
  close(): void {
    this.#native.close();
  }

  /** Removes the file and releases the lock; who waits for it takes it on a new file. Idempotent. */
  remove(): void {
    if (this.closed) return;
    rmSync(this.path, { force: true });
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
