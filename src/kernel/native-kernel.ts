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

/** A native watchdog; see the wrapper in watchdog.ts. */
export interface NativeWatchdog {
  readonly identity: string;
  readonly timeout: number;
  readonly closed: boolean;
  feed(): void;
  disarm(): void;
}

/** A native monitor of links; see the wrapper in links.ts. */
export interface NativeLinkMonitor {
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
  Watchdog: callable<new (path: string, timeout: number, pretimeout: number) => NativeWatchdog>(),
  kvmInfo: callable<() => unknown>(),
  kvmCanary: callable<(deadlineMs: number) => unknown>(),
  kvmCanaryCancel: callable<(id: number) => void>(),
  vsockLocalCid: callable<() => unknown>(),
  sdNotify: callable<(socketPath: string, message: string) => void>(),
  peerCredentials: callable<(fd: number) => unknown>(),
  peerGroups: callable<(fd: number) => unknown>(),
  linkInfo: callable<(name: string) => unknown>(),
  linkAddresses: callable<(name: string) => unknown>(),
  setLinkUp: callable<(name: string, up: boolean) => void>(),
  setLinkMaster: callable<(name: string, master: string | undefined) => void>(),
  createBridge: callable<(name: string, mac: string | undefined) => void>(),
  createTap: callable<(name: string, user: number | undefined, group: number | undefined) => void>(),
  removeLink: callable<(name: string) => void>(),
  addAddress: callable<(name: string, address: string) => void>(),
  LinkMonitor: callable<new (listener: (news: unknown) => void) => NativeLinkMonitor>(),
});

export type NativeKernel = z.infer<typeof nativeKernelSchema>;
