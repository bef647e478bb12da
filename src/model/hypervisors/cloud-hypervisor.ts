import type { VmmSpec } from '../hypervisor.js';

/** How a VM of Cloud Hypervisor is built when vmpulse starts it, or found when it adopts it. */
export interface CloudHypervisorSpec extends VmmSpec {
  readonly driver: 'cloud-hypervisor';
  /** Booted instead of a kernel, from the first disk. */
  readonly firmware?: string;
  /** Its own watchdog, a virtio device: the guest reboots when it is no longer fed. */
  readonly watchdog: boolean;
  readonly pvpanic: boolean;
  /** Context id of the guest; host programs reach it by the Unix socket of the VMM. */
  readonly vsockCid?: number;
  readonly adopt?: {
    readonly apiSocket: string;
    readonly eventsFile?: string;
    /** By which vmpulse's agent in its guest is reached. */
    readonly vsockSocket?: string;
    readonly pidFile?: string;
  };
}
