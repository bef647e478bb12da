import type { VmmSpec, WatchdogDevice } from '../hypervisor.js';

/** How a domain of libvirt's is built at each start, or which of its domains it is. */
export interface LibvirtSpec extends VmmSpec {
  readonly driver: 'libvirt';
  /** Of a libvirt of this host, for example `qemu:///system`. */
  readonly uri: string;
  readonly architecture: 'x86_64' | 'aarch64' | 's390x';
  readonly machine: string;
  /** `auto` uses KVM only where guests really run under it. */
  readonly accel: 'auto' | 'kvm' | 'tcg';
  /** A model's name, `host` or `max`. Default `host` under KVM, else `max`. */
  readonly cpu?: string;
  readonly pvpanic: boolean;
  /** What it can be given while it runs; unset: no more than it has. */
  readonly maxMemoryMiB?: number;
  readonly watchdog?: WatchdogDevice;
  /** A domain that libvirt itself keeps, by name or UUID; it is started and stopped, and never changed. */
  readonly adopt?: { readonly domain: string };
}
