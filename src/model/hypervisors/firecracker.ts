import type { VmmSpec } from '../hypervisor.js';

/** How a microVM of Firecracker is built when vmpulse starts it, or found when it adopts it. */
export interface FirecrackerSpec extends VmmSpec {
  readonly driver: 'firecracker';
  /** Context id of the guest; host programs reach it by the Unix socket of the VMM. */
  readonly vsockCid?: number;
  readonly adopt?: { readonly apiSocket: string; readonly vsockSocket?: string; readonly pidFile?: string };
}
