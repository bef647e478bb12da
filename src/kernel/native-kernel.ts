import { z } from 'zod';

/** A native pidfd; see the wrapper in pidfd.ts. */
export interface NativePidfd {
  readonly fd: number;
  readonly closed: boolean;
  signal(signal: number): void;
  close(): void;
}

/** A native lock; see the wrapper in file-lock.ts. */
export interface NativeFileLock {
  readonly closed: boolean;
  close(): void;
}

function callable<T>() {
  return z.custom<T>((value) => typeof value === 'function', 'not a function');
}

/** What kernel.node exports. Results are data of the outside and checked where they are used. */
export const nativeKernelSchema = z.object({
  Pidfd: callable<new (pid: number) => NativePidfd>(),
  FileLock: callable<new (path: string) => NativeFileLock>(),
  kvmInfo: callable<() => unknown>(),
  kvmCanary: callable<(deadlineMs: number) => unknown>(),
  kvmCanaryCancel: callable<(id: number) => void>(),
  vsockLocalCid: callable<() => unknown>(),
  sdNotify: callable<(socketPath: string, message: string) => void>(),
});

export type NativeKernel = z.infer<typeof nativeKernelSchema>;
