/** What the VMs of every hypervisor have; a driver's own specification extends one of the last two here. */

export interface WatchdogDevice {
  readonly name: string;
  readonly model: 'i6300esb' | 'diag288';
  /** As KubeVirt: what happens in the guest's hardware; vmpulse takes `pause` by default so that evidence survives. */
  readonly action: 'poweroff' | 'reset' | 'shutdown' | 'pause';
}

export interface DiskSpec {
  readonly name: string;
  /** Absolute path of the image or block device. */
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  readonly readOnly: boolean;
  /** vmpulse makes it where it is missing, laid over that image of its store. Unset: it is there already. */
  readonly overlay?: {
    readonly image: string;
    /** What the guest sees; unset: as large as the image. */
    readonly bytes?: number;
  };
}

export type NetworkInterface =
  | {
      readonly type: 'user';
      /** Host loopback port → guest port. */
      readonly forwards: readonly {
        readonly hostPort: number;
        readonly guestPort: number;
        readonly hostAddress: string;
      }[];
    }
  | {
      readonly type: 'tap';
      readonly device: string;
      /** The guest's, not the host's end. */
      readonly mac?: string;
      /** Where vmpulse puts and keeps it; unset: wherever it is. */
      readonly bridge?: string;
      /** vmpulse makes it where it is missing; unset: somebody else does. */
      readonly create?: boolean;
    };

/** A kernel that is booted directly. */
export interface KernelSpec {
  readonly image: string;
  readonly initrd?: string;
  readonly append: string;
}

/** What is known of any VM, whoever runs it. */
export interface HardwareSpec {
  readonly driver: string;
  /** 0: unknown. */
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly disks: readonly DiskSpec[];
  readonly interfaces: readonly NetworkInterface[];
  /** Whether the guest can be asked and told to run commands. */
  readonly guestAgent: boolean;
  /**
   * Sockets and files of a VMM that vmpulse did not start, by the name of their field; its presence means: adopt, do not
   * build a command line.
   */
  readonly adopt?: { readonly [field: string]: string | undefined };
}

/** Whom a VMM runs as: names, or numbers as text. */
export interface RunAs {
  readonly user: string;
  /** Unset: the user's own. */
  readonly group?: string;
}

/** What a VMM may use of the host; the kernel holds it to that. */
export interface VmmLimits {
  /** Guest and VMM together; the kernel ends a VMM that needs more. */
  readonly memoryMiB?: number;
  /** Processors' worth of time, for example 2.5. */
  readonly cpus?: number;
  /** Threads and processes. */
  readonly tasks?: number;
}

/** A VM whose VMM is a process that vmpulse itself starts. */
export interface VmmSpec extends HardwareSpec {
  /** Program, looked up in PATH unless absolute. */
  readonly binary: string;
  readonly kernel?: KernelSpec;
  /** Unset: whom vmpulse runs as. */
  readonly runAs?: RunAs;
  readonly limits?: VmmLimits;
  /** Further arguments, passed as they are after ours. */
  readonly extraArgs: readonly string[];
}
