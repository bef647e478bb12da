import type { CallOptions } from './ports.js';

/** How a command in a guest ended. */
export interface GuestCommandResult {
  /** 128 + signal when a signal ended it, as a shell says. */
  readonly exitCode: number;
  /** The first 64 KiB, as the guest wrote it: untrusted. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface GuestCommandOptions extends CallOptions {
  /** What the command reads on its standard input, at most 64 KiB. */
  readonly input?: string;
}

/** A file system of a guest. Texts are bounded and safe to show. */
export interface GuestDisk {
  readonly mount: string;
  readonly fsType: string;
  readonly readOnly: boolean;
  /** Without what is kept for root. */
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** Unset: the file system has no fixed number, or nobody says. */
  readonly inodes?: { readonly total: number; readonly used: number };
}

/** What a guest has used up, by its own account. What nobody could say is unset. */
export interface GuestResources {
  readonly source: 'vmpulse-agent' | 'qemu-guest-agent';
  /** Shares of all processor time over the last seconds, percent. */
  readonly cpu?: {
    readonly usedPercent: number;
    readonly ioWaitPercent: number;
    readonly stealPercent: number;
  };
  readonly cpus?: number;
  readonly memory?: {
    readonly totalBytes: number;
    readonly availableBytes: number;
    readonly swapTotalBytes: number;
    readonly swapFreeBytes: number;
  };
  /** Runnable tasks over 1, 5 and 15 minutes. */
  readonly load?: readonly [number, number, number];
  readonly disks: readonly GuestDisk[];
  readonly uptimeSeconds?: number;
}

/** An address that a guest says it has, and of which of its devices; both in their usual form, neither is proven. */
export interface ToldAddress {
  readonly mac: string;
  readonly ip: string;
}

/** What can be asked of a guest through its agent. */
export interface GuestAccess {
  /** Resolves when the agent answers. Unset: the engine asks it over its channel. */
  ping?(options: CallOptions): Promise<void>;
  /** Runs argv in the guest, without a shell; output bounded. */
  exec(argv: readonly string[], options: GuestCommandOptions): Promise<GuestCommandResult>;
  resources(options: CallOptions): Promise<GuestResources>;
}
