/** Whether lab VMs can run here, and from what. */
export type LabAvailability =
  | {
      readonly ok: true;
      readonly qemu: string;
      readonly kernel: string;
      readonly initrd: string;
      readonly release: string;
    }
  | { readonly ok: false; readonly reason: string };

export interface LabKernelOptions {
  /** The guest feeds its watchdog, which fires that long after feeding stops. Default: no feeding. */
  readonly watchdogSeconds?: number | undefined;
  /** Address of eth0 with its prefix. Default: that of QEMU's user network. */
  readonly address?: string | undefined;
  /** Further module groups of the image: mmio, vsock, 9p. */
  readonly modules?: readonly string[] | undefined;
}

export interface LabVmLine {
  readonly name: string;
  /** Folder of its sockets, console log and output. */
  readonly dir: string;
  /** On the host's loopback, leads to the guest's web server. */
  readonly httpPort: number;
  readonly watchdogSeconds?: number | undefined;
  readonly modules?: readonly string[] | undefined;
  /** The guest can mount this host's files, read-only, by 9p as `hostroot`. */
  readonly hostRoot?: boolean | undefined;
  /** An initrd of its own (with-agent.mjs); the VM then has a port for vmpulse's agent, too. */
  readonly initrd?: string | undefined;
}

export const LAB_GUEST: {
  readonly memoryMib: number;
  /** Of a guest that runs programs of this host. */
  readonly hostRootMemoryMib: number;
  readonly httpPort: number;
  readonly healthPath: string;
  readonly bootIdPath: string;
  readonly faultPath: string;
  readonly agentPortName: string;
  readonly vmpulseAgentPortName: string;
  readonly readyPattern: RegExp;
};

export function labAvailable(): LabAvailability;
export function labKernelLine(options?: LabKernelOptions): string;
export function labVmFiles(
  name: string,
  dir: string,
): {
  readonly qmp: string;
  readonly qga: string;
  readonly agent: string;
  readonly console: string;
  readonly output: string;
};
export function labQemuArguments(vm: LabVmLine): string[];
