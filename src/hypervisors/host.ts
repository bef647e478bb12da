import type { Channel, ChannelOptions } from '../engine/probe-engine.js';
import type { CallOptions, NetworkPort, StoragePort } from '../model/ports.js';
import type { ProcessIdentity } from '../model/vm.js';

/** A process held by pidfd: whatever happens to its PID, this stays that process. */
export interface ProcessHandle {
  /** Undefined: this host gives none, and the process is known by PID and start time. */
  readonly fd: number | undefined;
  /** Throws ERR_VMPULSE_SYSCALL with `errno` ESRCH once the process was reaped. */
  signal(signal: NodeJS.Signals): void;
  /** Idempotent. */
  close(): void;
}

/** What drivers need of the host they run on; the runtime builds it of the engine, the kernel addon and the pool. */
export interface DriverHost {
  /** Monitors and agents serve one client, and the engine is it: drivers open no such socket themselves. */
  openChannel(options: ChannelOptions): Channel;
  /** Throws ERR_VMPULSE_IDENTITY when the PID is another process by now, or none. */
  openProcess(process: ProcessIdentity): ProcessHandle;
  /** Takes an exclusive lock without waiting; throws ERR_VMPULSE_LOCKED. Ends with remove(), which takes the file away, or with this process. */
  lockFile(path: string): { remove(): void };
  /** Runs the default export of a worker module; the result is to be validated. */
  runInPool(worker: URL, args: unknown, options: CallOptions): Promise<unknown>;
  /** Runs a throw-away guest: whether KVM executes guests now, and why not. */
  kvmCanary(
    options: CallOptions,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }>;
  /** Makes the devices of a VM before its VMM attaches to them; unset: they are there already, or are not. */
  /** Unset: VMs have only disks that are there already. */
  readonly storage?: StoragePort;
  readonly network?: Pick<NetworkPort, 'startProblems' | 'prepare'>;
}
